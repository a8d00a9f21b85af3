"""What the guard does about a journal that fails; what it does about mounts is told by stories."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.runner.summaries import stored
from unstoppable.domain.errors import JournalUnusable
from unstoppable.domain.mount_errors import MountsUnknown, SourceUnmounted
from unstoppable.domain.names import ResourceName
from unstoppable.engine import Source
from unstoppable.runner.journal import VERSION, Journal
from unstoppable.runner.mounts import MountGuard

ALICE = ResourceName(customer="alice", resource="www")
STORED = stored()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal that expects a disk in the source."""
    journal = Journal(tmp_path / "state")
    journal.remember_mounts(ALICE, [bytes(tmp_path / "source/disk")])
    return journal


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "source").mkdir()
    return Source(place=tmp_path / "source", max_shrink_percent=50)


def set_version(journal: Journal, version: int) -> None:
    with closing(sqlite3.connect(journal.path)) as opened:
        opened.execute(f"PRAGMA user_version = {version}")


def assert_told_alone(judged, failure):
    """See that what is not known makes the run partial, and nothing else does."""
    [issue] = judged.issues
    assert (issue.kind, issue.path, issue.is_note) == ("mounts-unknown", b"", False)
    assert (issue.message, judged.issue_count) == (str(failure), 1)


def test_what_could_not_be_read_is_told_and_not_replaced(journal, source, tmp_path, monkeypatch):
    other = source.folder / "other"
    other.mkdir()
    table = tmp_path / "mountinfo"
    table.write_text(f"20 1 8:1 / / rw - ext4 x rw\n21 20 8:2 / {other} rw - ext4 y rw\n")
    monkeypatch.setattr("unstoppable.runner.mounts.MOUNTINFO", table)
    guard = MountGuard(journal, ALICE, source)
    before = journal.mounts(ALICE)
    set_version(journal, 99)
    guard.check_source()
    set_version(journal, VERSION)

    judged = guard.judge(STORED)

    assert isinstance(guard.failure, JournalUnusable)
    assert_told_alone(judged, guard.failure)
    assert journal.mounts(ALICE) == before
    again = MountGuard(journal, ALICE, source)
    again.check_source()
    again.judge(STORED)
    assert journal.mounts(ALICE) == before | {bytes(other)}


def test_a_mount_that_does_not_answer_is_still_expected(journal, source, tmp_path, monkeypatch):
    # Nothing can be asked of what lies in a circle, as of a mount whose server is dead.
    (source.folder / "circle").symlink_to("circle")
    silent, other = source.folder / "circle/a", source.folder / "circle/b"
    table = tmp_path / "mountinfo"
    table.write_text(
        "20 1 8:1 / / rw - ext4 x rw\n"
        f"21 20 8:2 / {silent} rw - nfs y rw\n22 20 8:3 / {other} rw - nfs z rw\n"
    )
    monkeypatch.setattr("unstoppable.runner.mounts.MOUNTINFO", table)
    journal.remember_mounts(ALICE, [bytes(silent)])
    guard = MountGuard(journal, ALICE, source)
    guard.check_source()

    assert guard.judge(STORED) == STORED

    assert journal.mounts(ALICE) == {bytes(silent), bytes(other)}


@pytest.mark.parametrize("content", [None, "garbage\n"])
def test_a_table_that_cannot_be_read_ends_no_run(journal, source, tmp_path, monkeypatch, content):
    table = tmp_path / "mountinfo"
    if content is not None:
        table.write_text(content)
    monkeypatch.setattr("unstoppable.runner.mounts.MOUNTINFO", table)
    before = journal.mounts(ALICE)
    guard = MountGuard(journal, ALICE, source)
    guard.check_source()

    judged = guard.judge(STORED)

    assert isinstance(guard.failure, MountsUnknown)
    assert_told_alone(judged, guard.failure)
    assert journal.mounts(ALICE) == before


def test_what_was_missing_before_a_table_was_lost_is_told(journal, source, tmp_path, monkeypatch):
    guard = MountGuard(journal, ALICE, source)
    guard.check_source()
    monkeypatch.setattr("unstoppable.runner.mounts.MOUNTINFO", tmp_path / "gone")

    judged = guard.judge(STORED)

    assert isinstance(guard.failure, MountsUnknown)
    assert [issue.kind for issue in judged.issues] == ["unmounted", "mounts-unknown"]
    assert judged.issue_count == 2


def test_a_single_file_is_not_expected(journal, source, tmp_path, monkeypatch):
    (source.folder / "file").touch()
    table = tmp_path / "mountinfo"
    table.write_text(
        f"20 1 8:1 / / rw - ext4 x rw\n21 20 8:2 /f {source.folder}/file rw - ext4 y rw\n"
    )
    monkeypatch.setattr("unstoppable.runner.mounts.MOUNTINFO", table)
    journal.remember_mounts(ALICE, [])
    guard = MountGuard(journal, ALICE, source)
    guard.check_source()
    guard.judge(STORED)

    assert journal.mounts(ALICE) == frozenset()


def test_what_could_not_be_written_is_told(journal, source):
    guard = MountGuard(journal, ALICE, source)
    journal.remember_mounts(ALICE, [bytes(source.folder.parent / "elsewhere")])
    guard.check_source()
    set_version(journal, 99)

    judged = guard.judge(STORED)

    assert isinstance(guard.failure, JournalUnusable)
    assert_told_alone(judged, guard.failure)


def test_a_missing_mount_is_an_issue_more(journal, source):
    guard = MountGuard(journal, ALICE, source)
    guard.check_source()

    judged = guard.judge(STORED)

    assert judged.issue_count == 1
    assert [(issue.kind, issue.path) for issue in judged.issues] == [("unmounted", b"disk")]
    assert guard.failure is None


def test_a_source_may_be_named_by_a_link(journal, source, tmp_path):
    (tmp_path / "link").symlink_to(source.folder)
    guard = MountGuard(journal, ALICE, Source(place=tmp_path / "link", max_shrink_percent=50))
    guard.check_source()

    assert guard.judge(STORED).issue_count == 1


def test_a_source_that_lay_on_a_mount_is_refused_however_it_is_named(journal, source, tmp_path):
    (tmp_path / "link").symlink_to(source.folder)
    journal.remember_mounts(ALICE, [bytes(tmp_path)])
    guard = MountGuard(journal, ALICE, Source(place=tmp_path / "link", max_shrink_percent=50))

    with pytest.raises(SourceUnmounted, match=f"lay below {tmp_path}"):
        guard.check_source()
