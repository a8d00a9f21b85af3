import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unstoppable.domain.errors import FolderUnusable, JournalUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import RunUnknown
from unstoppable.domain.run import Run, RunRecord
from unstoppable.runner.journal import VERSION, Journal

ALICE = ResourceName(customer="alice", resource="www")
BEGAN = datetime(2026, 11, 24, tzinfo=UTC)
BOB = ResourceName(customer="bob", resource="www")


def record(name: str, resource: ResourceName = ALICE, outcome: Outcome | None = None) -> RunRecord:
    run = Run(id=name, resource=resource, slot_at=None, started_at=BEGAN, pid=1)
    return RunRecord(run=run, outcome=outcome)


SIGNING = ("TABLE chains", "TABLE envelopes", "TABLE unsigned")


def drop(opened: sqlite3.Connection, *names: str) -> None:
    for name in names:
        opened.execute(f"DROP {name}")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


def test_an_empty_journal_knows_no_runs_and_is_not_made_by_asking(journal):
    assert journal.runs(ALICE, limit=9) == []
    assert journal.going_on("alice") == []
    assert not journal.path.exists()


def test_a_run_is_there_while_it_runs_and_has_one_record_after(journal):
    journal.write(record("r"))
    assert journal.going_on("alice") == [record("r")]

    journal.write(record("r", outcome=Outcome.PARTIAL))

    assert journal.going_on("alice") == []
    assert journal.runs(ALICE, limit=9) == [record("r", outcome=Outcome.PARTIAL)]


def test_a_journal_of_the_version_before_is_taken_over(journal):
    journal.write(record("r"))
    with closing(sqlite3.connect(journal.path)) as opened:
        drop(opened, *SIGNING, "TABLE mounts", "INDEX runs_by_slot")
        opened.execute("PRAGMA user_version = 1")
        opened.commit()

    before = journal.path.read_bytes()
    assert journal.going_on("alice") == [record("r")]
    assert journal.path.read_bytes() == before, "asking changes nothing"
    journal.write(record("s"))

    with closing(sqlite3.connect(journal.path)) as opened:
        assert opened.execute("PRAGMA user_version").fetchone() == (VERSION,)
        indexes = opened.execute("SELECT name FROM sqlite_schema WHERE type = 'index'").fetchall()
        assert ("runs_by_slot",) in indexes


def test_runs_come_newest_first_and_bobs_are_his(journal):
    for name in ("b", "a", "c"):
        journal.write(record(name))
    journal.write(record("z", BOB))

    assert [found.run.id for found in journal.runs(ALICE, limit=2)] == ["c", "a"]
    assert [found.run.id for found in journal.going_on("bob")] == ["z"]


def test_the_journal_is_private_durable_and_knows_its_version(journal):
    journal.write(record("r"))

    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700
    with closing(sqlite3.connect(journal.path)) as opened:
        assert opened.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_journal_of_a_newer_version_is_left_alone(journal):
    journal.write(record("r"))
    with closing(sqlite3.connect(journal.path)) as opened:
        opened.execute(f"PRAGMA user_version = {VERSION + 1}")

    with pytest.raises(JournalUnusable, match="newer version"):
        journal.write(record("s"))


@pytest.mark.parametrize("content", [b"mallory" * 1000, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_journal_is_an_error_and_stays_as_it_is(journal, content):
    journal.path.parent.mkdir()
    journal.path.write_bytes(content)

    with pytest.raises(JournalUnusable):
        journal.write(record("r"))
    with pytest.raises(JournalUnusable):
        journal.runs(ALICE, limit=1)

    assert journal.path.read_bytes() == content


def test_a_record_that_is_garbage_is_an_error(journal):
    journal.write(record("r"))
    with closing(sqlite3.connect(journal.path)) as opened:
        opened.execute("UPDATE runs SET record = '{}'")
        opened.commit()

    with pytest.raises(JournalUnusable):
        journal.runs(ALICE, limit=1)


def test_a_state_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(FolderUnusable):
        Journal(tmp_path / "file/state").write(record("r"))


def test_a_state_folder_that_cannot_be_looked_into_is_an_error():
    journal = Journal(Path("x" * 300))

    with pytest.raises(JournalUnusable, match="File name too long"):
        journal.runs(ALICE, limit=1)
    with pytest.raises(JournalUnusable, match="File name too long"):
        journal.mounts(ALICE)


def test_what_is_to_be_mounted_is_kept_for_each_resource_whatever_its_name(journal):
    assert journal.mounts(ALICE) == frozenset()
    assert not journal.path.exists()

    journal.remember_mounts(BOB, [b"/bob"])
    journal.remember_mounts(ALICE, [b"/a", b"/line\nbreak\xff"])
    journal.remember_mounts(ALICE, [b"/line\nbreak\xff"])

    assert journal.mounts(ALICE) == {b"/line\nbreak\xff"}
    assert journal.mounts(BOB) == {b"/bob"}


def test_a_journal_before_mounts_were_remembered_is_taken_over(journal):
    journal.write(record("r"))
    with closing(sqlite3.connect(journal.path)) as opened:
        drop(opened, *SIGNING, "TABLE mounts")
        opened.execute("PRAGMA user_version = 2")
        opened.commit()

    before = journal.path.read_bytes()

    assert journal.mounts(ALICE) == frozenset()
    assert journal.path.read_bytes() == before, "asking for mounts changes nothing"
    journal.remember_mounts(ALICE, [b"/data"])
    assert journal.mounts(ALICE) == {b"/data"}
    assert journal.runs(ALICE, limit=9) == [record("r")]


def test_writers_wait_for_each_other(journal):
    journal.write(record("r"))
    other = Journal(journal.path.parent)

    for number in range(20):
        (journal if number % 2 else other).write(record(str(number)))

    assert len(journal.runs(ALICE, limit=99)) == 21


def test_a_record_keeps_everything(journal):
    full = replace(record("r"), message="killed: …", exit_code=1, snapshot_id="f" * 64)

    journal.write(full)

    assert journal.runs(ALICE, limit=1) == [full]


def test_the_last_backup_is_told_however_many_runs_were_skipped_since(journal):
    journal.write(record("old", outcome=Outcome.SUCCEEDED), record("of-bob", BOB, Outcome.PARTIAL))
    journal.write(record("kept", outcome=Outcome.PARTIAL), record("failed", outcome=Outcome.FAILED))
    journal.write(record("at-work"))
    journal.write(*(record(f"skipped-{n}", outcome=Outcome.SKIPPED) for n in range(1500)))
    ahead = record("ahead", outcome=Outcome.SUCCEEDED)
    journal.write(replace(ahead, run=replace(ahead.run, started_at=BEGAN + timedelta(days=9))))

    found = journal.telling(ALICE, until=BEGAN)

    assert [one.run.id for one in found] == ["skipped-1499", "at-work", "failed", "kept"]
    assert next(one.run.id for one in journal.telling(ALICE)) == "ahead"
    assert [one.run.id for one in journal.telling(BOB)] == ["of-bob"]
    assert Journal(Path("/nowhere")).telling(ALICE) == []


def test_runs_are_listed_page_by_page(journal):
    for name in "abcde":
        journal.write(record(name), record(f"{name}-of-bob", BOB))

    def page(before: str | None) -> list[str]:
        return [one.run.id for one in journal.runs(ALICE, limit=2, before=before)]

    assert (page(None), page("d"), page("b"), page("a")) == (["e", "d"], ["c", "b"], ["a"], [])
    for unknown in ("x", "a-of-bob"):
        with pytest.raises(RunUnknown, match=f"alice/www has no run {unknown}"):
            page(unknown)
