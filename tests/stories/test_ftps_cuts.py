"""Transfers that break off at any point: a whole file or folder, or an issue, and in time."""

import os

import pytest

from tests.servers.scripted import Content, Ending, Talk, Twist
from tests.stories.faulty import HIT, When, a_file, a_folder, listed, run
from unstoppable.domain.outcome import Outcome

EVERY_PERCENT = range(1, 100)
PERCENTS = EVERY_PERCENT if os.environ.get("EVERY_PERCENT") else (1, 50, 99)
"""All of them take a minute, in `./check --full`."""
NAMES = {f"{percent:02}": percent for percent in PERCENTS}
SAYS: dict[Ending, str] = {"cut": "226 all is well", "reset": "226 all is well", "stall": ""}
INSIDE = [str(number) * 200 for number in range(10)]
WHOLE = b"".join(listed(*(a_file(name, 4) for name in INSIDE))())


def breaking(command: str, contents: dict[str, bytes], ending: Ending, times: int) -> Twist:
    """Break off the transfer of each path at the percent that its name says, so many times."""
    conditions = [When(command, path, times=times) for path in contents]

    def twist(talk: Talk, heard: str, argument: str) -> bool:
        for condition in conditions:
            if condition.holds(talk, heard, argument):
                content = contents[condition.argument]
                part = content[: len(content) * NAMES[condition.argument[-2:]] // 100]
                talk.say("150 it comes")
                said = talk.give(iter([part]), ending)
                talk.say(SAYS[ending] or said)
                return True
        return False

    return twist


ENDINGS = pytest.mark.parametrize("ending", SAYS)
TIMES = pytest.mark.parametrize("times", [1, 1000], ids=["once", "each time"])


@ENDINGS
@TIMES
def test_a_file_that_breaks_off_is_read_again_or_told(faulty, ending, times):
    contents = {f"/hit/{name}": HIT for name in NAMES}
    files: dict[str, Content] = {path: lambda: iter([HIT]) for path in contents}
    listings = {"/hit": listed(*(a_file(name, len(HIT)) for name in NAMES))}
    site = faulty.site(breaking("RETR", contents, ending, times), listings, files)

    ended = run(site, most_seconds=120, connections=8, patience_seconds=300)

    hit = {path.lstrip("/").encode() for path in contents}
    others = {b"a/well", b"z/well"}
    if times == 1:
        assert (ended.outcome, ended.issues) == (Outcome.SUCCEEDED, {})
        assert set(ended.contents) == hit | others
        assert all(ended.contents[path] == HIT for path in hit)
    else:
        assert ended.outcome == Outcome.PARTIAL
        assert ended.issues == dict.fromkeys(hit, "unreadable")
        assert set(ended.contents) == others


@ENDINGS
@TIMES
def test_a_listing_that_breaks_off_is_taken_again_or_told(faulty, ending, times):
    contents = {f"/hit/{name}": WHOLE for name in NAMES}
    listings: dict[str, Content] = {path: lambda: iter([WHOLE]) for path in contents}
    listings["/hit"] = listed(*(a_folder(name) for name in NAMES))
    files: dict[str, Content] = {
        f"{path}/{name}": lambda: iter([b"four"]) for path in contents for name in INSIDE
    }
    site = faulty.site(breaking("MLSD", contents, ending, times), listings, files)

    ended = run(site, most_seconds=300, connections=8, patience_seconds=300)

    others = {b"a/well", b"z/well"}
    if times == 1:
        assert (ended.outcome, ended.issues) == (Outcome.SUCCEEDED, {})
        assert set(ended.contents) == {path.lstrip("/").encode() for path in files} | others
    else:
        assert ended.outcome == Outcome.PARTIAL
        hit = {path.lstrip("/").encode() for path in contents}
        assert ended.issues == dict.fromkeys(hit, "listing")
        assert set(ended.contents) == others
