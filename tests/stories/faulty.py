"""A small source whose server has one fault, and how its backup ends."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import unstoppable_engine as engine

from tests.servers.s3 import free_port
from tests.servers.scripted import Content, Ending, Script, Scripted, Talk, Twist, as_usual
from tests.stories.site import Site, found
from unstoppable.domain.outcome import EXIT_CODES, NOTES, Outcome, outcome_of_backup

HIT = bytes(number * number % 251 for number in range(300_000))
"""What is in the file that a fault is about."""
MOST_SECONDS = 30
"""Longer than any of these runs may take."""
QUICK = {"connect_seconds": 1, "idle_seconds": 1, "patience_seconds": 5, "connections": 2}
"""No test waits as long as an operator."""


def listed(*lines: str) -> Content:
    """Return a listing."""
    return lambda: iter(line.encode() + b"\r\n" for line in lines)


def a_file(name: str, size: int) -> str:
    return f"type=file;size={size};modify=20260101000000; {name}"


def a_folder(name: str) -> str:
    return f"type=dir; {name}"


LISTINGS: dict[str, Content] = {
    "/": listed(a_folder("a"), a_folder("hit"), a_folder("z")),
    "/a": listed(a_file("well", 4)),
    "/hit": listed(a_file("file", len(HIT))),
    "/z": listed(a_file("well", 5)),
}
FILES: dict[str, Content] = {
    "/a/well": lambda: iter([b"well"]),
    "/hit/file": lambda: iter([HIT]),
    "/z/well": lambda: iter([b"well\n"]),
}
STORED = {b"a/well", b"hit/file", b"z/well"}
CONTENTS = {b"a/well": b"well", b"hit/file": HIT, b"z/well": b"well\n"}


@dataclass
class When:
    """A condition that counts how often it held."""

    command: str
    argument: str = ""
    """Empty for any."""
    times: int = 1_000_000
    """It holds so often."""
    after: int = 0
    """And not the first so many times."""
    _met: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, talk: Talk, command: str, argument: str) -> bool:
        of = talk.folder if command == "MLSD" else argument
        if command != self.command or (self.argument and of != self.argument):
            return False
        with self._lock:
            return self.after <= next(self._met) < self.after + self.times


def when(condition: When, act: Callable[[Talk], object]) -> Twist:
    """Return a twist that does something else where a condition holds."""

    def twist(talk: Talk, command: str, argument: str) -> bool:
        holds = condition.holds(talk, command, argument)
        if holds:
            act(talk)
        return holds

    return twist


def say(*replies: str, plain: bool = False) -> Callable[[Talk], object]:
    """Say this instead, and hang up after a 421."""

    def act(talk: Talk) -> None:
        for reply in replies:
            talk.say_plain(reply) if plain else talk.say(reply)
        if replies[-1].startswith(("421", "500")):
            talk.hang_up()

    return act


def give(
    part: float = 1,
    ending: Ending = "clean",
    reply: str | None = None,
    begins: str = "150 it comes",
) -> Callable[[Talk], object]:
    """Give a part of the file, and end so."""

    def act(talk: Talk) -> None:
        if begins:
            talk.say(begins)
        said = talk.give(iter([HIT[: int(len(HIT) * part)]]), ending)
        talk.say(reply or said)

    return act


def pieces(part: float) -> Iterator[bytes]:
    whole = b"".join(LISTINGS["/hit"]()) + b"type=file;size=5;modify=20260101000000; z\r\n"
    return iter([whole[: int(len(whole) * part)]])


def list_part(part: float, ending: Ending = "clean") -> Callable[[Talk], object]:
    """List a part of the folder."""

    def act(talk: Talk) -> None:
        talk.say("150 it comes").say(talk.give(pieces(part), ending))

    return act


def plain_data(talk: Talk) -> None:
    """Give a file to everybody on the way."""
    talk.say("150 it comes")
    with talk.take_data_connection() as data:
        data.recv(1)
        data.sendall(HIT)
    talk.say("226 that was all")


def dead_port(talk: Talk) -> None:
    """Name a port where nobody is."""
    talk.say(f"229 here (|||{free_port()}|)")


def refuse_session(talk: Talk) -> None:
    """Say what vsftpd says of a data connection without a session that it knows."""
    talk.say("150 it comes")
    talk.take_data_connection().close()
    talk.say("522 SSL connection failed: session reuse required")


def pasv(talk: Talk) -> None:
    """Name somebody else's address."""
    high, low = divmod(talk.listen(), 256)
    talk.say(f"227 there (192,0,2,1,{high},{low})")


def all_of(*twists: Twist) -> Twist:
    return lambda talk, command, argument: any(twist(talk, command, argument) for twist in twists)


def inject(talk: Talk) -> None:
    """Put words behind the consent to TLS, as whoever is in between would."""
    talk.say("234 ok\r\n230 you are logged in")
    talk.stall()


def later(act: Callable[[Talk], object]) -> Callable[[Talk], object]:
    """Wait with a fault until what was read before it is stored."""

    def act_later(talk: Talk) -> None:
        assert talk.server.is_taken.wait(MOST_SECONDS)
        time.sleep(0.3)
        act(talk)

    return act_later


def stall(talk: Talk) -> None:
    """Say nothing."""
    talk.stall()


def drop(talk: Talk) -> None:
    """End the conversation."""
    talk.hang_up()


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    outcome: Outcome
    issues: Mapping[bytes, str]
    """Its issues' kinds by their paths."""
    told: str
    """Everything that was said."""
    contents: Mapping[bytes, bytes | None]
    """What comes back of the files."""

    def as_told(self) -> tuple[int, set[str]]:
        """Return the exit code, and the kinds of issues; a note is a `note`."""
        kinds = {"note" if kind in NOTES else kind for kind in self.issues.values()}
        return EXIT_CODES[self.outcome], kinds


def threads() -> set[int]:
    """Return the engine's threads; those of the story's servers are Python's."""
    known = {thread.native_id for thread in threading.enumerate()}
    return {int(entry.name) for entry in Path("/proc/self/task").iterdir()} - known


def assert_nothing_is_left(server: Scripted, before: set[int]) -> None:
    """Fail where a connection or a thread of a run is still there."""
    assert server.is_left_alone(), [talk.heard for talk in server.talks if talk.thread.is_alive()]
    until = time.monotonic() + 3
    while threads() - before and time.monotonic() < until:
        time.sleep(0.02)
    assert threads() - before == set()


class ScriptedSite(Site):
    """A repository for what a scripted server has."""

    server: Scripted  # type: ignore[assignment]

    def __init__(self, folder: Path, server: Scripted) -> None:
        super().__init__(folder, server)  # type: ignore[arg-type]


@pytest.fixture
def faulty(tmp_path: Path, scripted: Script) -> "Faulty":
    """Backups of servers with faults."""
    return Faulty(tmp_path, scripted)


class Faulty:
    """A repository, and servers with one fault each."""

    def __init__(self, folder: Path, script: Script) -> None:
        self._folder, self.script = folder, script
        # The engine keeps some threads for ever, which are there from now on.
        warm = ScriptedSite(folder / "warm", script(LISTINGS, FILES))
        warm.restored(warm.backup(warm.source()))

    def site(
        self,
        twist: Twist = as_usual,
        listings: Mapping[str, Content] = LISTINGS,
        files: Mapping[str, Content] = FILES,
        **changed: Any,
    ) -> ScriptedSite:
        """Return a new repository for a new server."""
        number = len(list(self._folder.iterdir()))
        server = self.script({**LISTINGS, **listings}, {**FILES, **files}, twist, **changed)
        return ScriptedSite(self._folder / f"site-{number}", server)


def run(site: ScriptedSite, *, most_seconds: float = MOST_SECONDS, **changed: Any) -> Ended:
    """Make a backup of a server; nothing of it is left, and it did not take for ever."""
    began, before = time.monotonic(), threads()

    def note_taken(progress: engine.Progress) -> None:
        if progress.bytes_done:
            site.server.is_taken.set()

    try:
        summary = site.backup(site.source(**(QUICK | changed)), progress=note_taken)
    except engine.SourceUnavailable as error:
        ended = Ended(Outcome.FAILED, {}, str(error), {})
    else:
        issues = {issue.path: issue.kind for issue in summary.issues}
        assert len(issues) == len(summary.issues)
        outcome = outcome_of_backup(
            issue_kinds=issues.values(), tags=summary.tags, is_cancelled=False
        )
        told = "\n".join(issue.message for issue in summary.issues)
        back = found(site.restored(summary))
        contents = {path: content for path, content in back.items() if content is not None}
        ended = Ended(outcome, issues, told, contents)
    assert_nothing_is_left(site.server, before)
    assert time.monotonic() - began < most_seconds
    return ended
