"""A journal that is damaged is put under another name, whole, and a new one begun."""

import errno
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.runner.record import ALICE, BEGAN, record
from unstoppable.domain.errors import FolderUnusable, JournalUnusable
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import EmitterUnusable, JournalDamaged, JournalSetAside
from unstoppable.domain.record_form import Start
from unstoppable.domain.schedule import Schedule
from unstoppable.runner import aside
from unstoppable.runner.aside import set_aside
from unstoppable.runner.emitter_file import key_file
from unstoppable.runner.journal import Journal
from unstoppable.runner.pen import Pen
from unstoppable.runner.records_check import check_records
from unstoppable.runner.tick import RunsKnown, look

HOURLY = Schedule.parse("0 * * * *")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with a record."""
    journal = Journal(tmp_path / "state")
    journal.write(record("a"))
    return journal


def break_pages(journal: Journal) -> None:
    """Overwrite all but the first page, which says that it is a database."""
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))


def garbage(journal: Journal) -> None:
    journal.path.write_bytes(b"mallory" * 1000)


damages = pytest.mark.parametrize("damage", [garbage, break_pages])


def asides(journal: Journal) -> list[Path]:
    return sorted(journal.path.parent.glob("journal-damaged-*"))


@damages
def test_a_run_puts_a_damaged_journal_aside_and_is_recorded_in_a_new_one(journal, damage):
    damage(journal)
    content = journal.path.read_bytes()
    pen = Pen(journal)

    pen.write(record("b", None))
    pen.write(record("b"))

    (kept,) = asides(journal)
    assert isinstance(pen.set_aside, JournalSetAside)
    assert f"{journal.path} was damaged and now lies at {kept};" in str(pen.set_aside)
    assert pen.failure is None
    assert kept.read_bytes() == content
    assert [one.run.id for one in journal.runs(ALICE, limit=9)] == ["b"]
    (chain,) = check_records(journal.path.parent, "alice").chains
    assert (chain.start, chain.records) == (Start.JOURNAL_LOST, 1)


@damages
def test_who_only_reads_puts_nothing_aside(journal, damage):
    damage(journal)
    content = journal.path.read_bytes()

    for ask in (
        lambda: journal.runs(ALICE, limit=1),
        lambda: journal.mounts(ALICE),
        lambda: check_records(journal.path.parent, "alice"),
    ):
        with pytest.raises(JournalDamaged, match=r"the journal .* cannot be used: "):
            ask()

    assert (asides(journal), journal.path.read_bytes()) == ([], content)


def test_questions_of_a_run_put_it_aside_as_well(journal):
    garbage(journal)
    pen = Pen(journal)

    assert not pen.is_served(record("b").run)

    assert len(asides(journal)) == 1
    assert (pen.failure, bool(pen.set_aside)) == (None, True)


def test_a_second_damage_within_a_run_is_told_and_not_followed(journal):
    garbage(journal)
    pen = Pen(journal)
    pen.write(record("b"))
    garbage(journal)

    pen.write(record("c"))

    assert isinstance(pen.failure, JournalDamaged)
    assert len(asides(journal)) == 1


def test_a_tick_puts_it_aside_and_makes_a_backup(journal):
    garbage(journal)

    found, troubles = look(RunsKnown(journal), ALICE, HOURLY, BEGAN)

    assert found.run == BEGAN
    assert [type(one) for one in troubles] == [JournalSetAside]
    assert look(RunsKnown(journal), ALICE, HOURLY, BEGAN)[1] == []


def test_a_tick_that_cannot_sign_records_what_was_skipped_all_the_same(journal):
    key_file(journal.path.parent, "alice").write_text("")
    late = BEGAN.replace(hour=5)

    found, troubles = look(RunsKnown(journal), ALICE, HOURLY, late)

    assert found.run == late
    assert [type(one) for one in troubles] == [EmitterUnusable]
    skipped = [one for one in journal.runs(ALICE, limit=9) if one.outcome is Outcome.SKIPPED]
    assert len(skipped) == journal.books("alice").owed == 4


def test_a_journal_that_is_whole_is_never_put_aside(journal):
    assert journal.set_aside() is None
    assert Journal(journal.path.parent.parent).set_aside() is None

    assert asides(journal) == []
    assert [one.run.id for one in journal.runs(ALICE, limit=9)] == ["a"]


def test_what_sqlite_left_beside_it_goes_with_it(journal):
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchall()
        journal.write(record("b"))
        break_pages(journal)

        kept = set_aside(journal.path)

    assert kept is not None
    assert [path.name.removeprefix(kept.name) for path in asides(journal)] == ["", "-shm", "-wal"]
    assert not journal.path.exists()
    journal.write(record("c"))


def test_of_two_who_find_it_damaged_one_puts_it_aside(journal):
    garbage(journal)
    found: list[Path | None] = []
    threads = [threading.Thread(target=lambda: found.append(set_aside(journal.path))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one for one in found if one] == asides(journal)
    assert len(found) == 2


def test_it_is_not_put_aside_while_somebody_uses_it(journal):
    garbage(journal)
    waiting = threading.Thread(target=lambda: set_aside(journal.path))

    with aside.in_place(journal.path):
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        assert asides(journal) == []

    waiting.join()
    assert len(asides(journal)) == 1


def test_where_folders_know_no_locks_it_is_used_and_never_put_aside(journal, monkeypatch):
    def refuse(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    journal.write(record("b"))
    garbage(journal)

    with pytest.raises(JournalUnusable, match="No locks available"):
        journal.set_aside()

    assert asides(journal) == []


def test_a_journal_that_is_locked_or_newer_is_not_damaged(journal, monkeypatch):
    monkeypatch.setattr("unstoppable.runner.database.BUSY_SECONDS", 0.1)
    pen = Pen(journal)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pen.write(record("b"))
        assert "database is locked" in str(pen.failure)
        other.execute("ROLLBACK")
        other.execute("PRAGMA user_version = 99")

    pen.write(record("b"))

    assert "a newer version" in str(pen.failure)
    assert (pen.set_aside, asides(journal)) == (None, [])


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    journal = Journal(tmp_path / "file/state")
    (tmp_path / "file").touch()

    with pytest.raises(JournalUnusable, match="Not a directory"):
        journal.set_aside()
    pen = Pen(journal)
    pen.write(record("a"))
    assert isinstance(pen.failure, FolderUnusable)
