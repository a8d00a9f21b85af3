"""Servers that are too slow for a run, and files that never come."""

import os
import time

import pytest
import unstoppable_engine as engine

from tests.servers.scripted import Content, Talk
from tests.stories.faulty import a_file, listed, run
from tests.stories.site import Site, found
from unstoppable.domain.outcome import Outcome

NAMES = [f"{number:02}" for number in range(8)]
CONTENT = b"of a customer with a slow line"


def test_a_source_that_is_slower_than_any_run_is_stored_by_several(faulty):
    def slowly(_talk: Talk, command: str, argument: str) -> bool:
        if command == "RETR":
            asked.append(argument)
            time.sleep(0.7)
        return False

    asked: list[str] = []
    listings: dict[str, Content] = {"/": listed(*(a_file(name, len(CONTENT)) for name in NAMES))}
    files: dict[str, Content] = {f"/{name}": lambda: iter([CONTENT]) for name in NAMES}
    site = faulty.site(slowly, listings, files)

    stored: list[set[bytes]] = []
    outcomes: list[Outcome] = []
    while Outcome.SUCCEEDED not in outcomes and len(outcomes) < len(NAMES):
        asked.clear()
        ended = run(site, connections=1, idle_seconds=10, max_seconds=3)
        outcomes.append(ended.outcome)
        again = {path.lstrip("/").encode() for path in asked}
        assert not stored or again & stored[-1] == set(), "what was stored is not read again"
        stored.append(set(ended.contents))
        # Snapshots are told apart by the second that their run began in.
        time.sleep(1)

    assert outcomes[-1] == Outcome.SUCCEEDED
    assert set(outcomes[:-1]) == {Outcome.FAILED}
    assert len(outcomes) > 2
    assert stored[-1] == {name.encode() for name in NAMES}


def test_a_pipe_that_the_server_takes_for_a_file_is_one_issue(tmp_path, served, pyftpd):
    (served / "file").write_text("content\n")
    os.mkfifo(served / "pipe", 0o644)
    site = Site(tmp_path / "site", pyftpd)
    began = time.monotonic()

    summary = site.backup(site.source(idle_seconds=1))

    assert time.monotonic() - began < 20
    assert [(issue.kind, issue.path) for issue in summary.issues] == [("unreadable", b"pipe")]
    assert "the server said nothing for 1 seconds" in summary.issues[0].message
    assert (site.restored(summary) / "file").read_text() == "content\n"


def test_a_source_comes_no_faster_than_it_may(tmp_path, served, pyftpd):
    for name in NAMES[:4]:
        (served / name).write_bytes(os.urandom(100_000))
    site = Site(tmp_path / "site", pyftpd)
    began = time.monotonic()

    summary = site.backup(site.source(bytes_per_second=100_000))

    assert 3 < time.monotonic() - began < 20
    assert found(site.restored(summary)) == found(served)


def test_a_run_that_keeps_a_pace_ends_when_it_may(tmp_path, served, pyftpd):
    (served / "file").write_bytes(bytes(1_000_000))
    site = Site(tmp_path / "site", pyftpd)
    began = time.monotonic()

    with pytest.raises(engine.SourceUnavailable, match="max_seconds=2"):
        site.backup(site.source(bytes_per_second=8192, max_seconds=2))

    assert time.monotonic() - began < 10
