import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from unstoppable.domain.errors import FolderUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.sheet_errors import SheetExists, SheetRecordInvalid, SheetUnreadable
from unstoppable.runner import files, sheet_file
from unstoppable.runner.sheet_file import FILE_NAMES, Owner

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
WWW = ResourceName(customer="alice", resource="www")
CONTENTS = dict.fromkeys(FILE_NAMES, f"the key {'c' * 64}")


@pytest.fixture
def alice(tmp_path: Path) -> Owner:
    return Owner(state=tmp_path / "state", resource=WWW, key_fingerprint="c" * 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "configuration"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_sheet_is_two_private_files_and_its_folder_is_remembered(alice, folder):
    paths = sheet_file.write(alice, folder, CONTENTS)

    assert names(folder) == set(FILE_NAMES)
    assert {path.stat().st_mode & 0o777 for path in (*paths, *alice.state.iterdir())} == {0o600}
    assert sheet_file.look(alice)[1] == paths


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_file_that_is_there_is_never_overwritten(alice, folder, name):
    folder.mkdir()
    (folder / name).write_text("somebody's")

    with pytest.raises(SheetExists, match=name):
        sheet_file.missing(alice, folder)
    with pytest.raises(SheetExists, match=name):
        sheet_file.write(alice, folder, CONTENTS)

    assert (folder / name).read_text() == "somebody's"
    assert names(folder) == {name}


def test_a_sheet_that_is_there_is_not_written_again(alice, folder):
    sheet_file.write(alice, folder, CONTENTS)

    with pytest.raises(SheetExists):
        sheet_file.write(alice, folder, CONTENTS)


@pytest.mark.parametrize("killed_after", [0, 1])
def test_a_writer_that_was_killed_is_completed_by_the_next(
    alice, folder, monkeypatch, killed_after
):
    written: list[Path] = []
    write_new = files.write_new

    def until_killed(path, chunks):
        if len(written) == killed_after:
            path.with_name(f".{path.name}.draft-0123").write_text("half of the sec")
            raise KeyboardInterrupt
        written.append(path)
        write_new(path, chunks)

    monkeypatch.setattr(files, "write_new", until_killed)
    with pytest.raises(KeyboardInterrupt):
        sheet_file.write(alice, folder, CONTENTS)
    monkeypatch.undo()
    assert len(sheet_file.missing(alice, folder)) == 2 - killed_after

    sheet_file.write(alice, folder, CONTENTS)

    assert names(folder) == set(FILE_NAMES)


def test_a_confirmation_is_remembered_and_the_files_go(alice, folder, tmp_path):
    paths = (
        *sheet_file.write(alice, folder, CONTENTS),
        *sheet_file.write(alice, tmp_path / "stick", CONTENTS),
    )
    draft = folder / ".recovery-sheet.txt.draft-0123"
    draft.write_text("half of the sec")
    (folder / ".env").write_text("stays")
    assert sheet_file.look(alice)[1] == (*paths[:2], draft, *paths[2:])

    assert sheet_file.confirm(alice, NOW) == (*paths[:2], draft, *paths[2:])

    record, lying = sheet_file.look(alice)
    assert (record.confirmed_at, record.folders, lying) == (NOW, (), ())
    assert names(folder) == {".env"}


def test_what_cannot_be_read_is_told_before_anything_is_confirmed(alice, folder, tmp_path):
    sheet_file.write(alice, folder, CONTENTS)
    sheet_file.write(alice, tmp_path / "stick", CONTENTS)
    # As what is mounted there and answers nothing.
    for path in (tmp_path / "stick").iterdir():
        path.unlink()
    (tmp_path / "stick").rmdir()
    (tmp_path / "stick").symlink_to("stick")

    with pytest.raises(SheetUnreadable, match="stick cannot be read: "):
        sheet_file.look(alice)
    with pytest.raises(SheetUnreadable):
        sheet_file.confirm(alice, NOW)

    assert names(folder) == set(FILE_NAMES)
    (tmp_path / "stick").unlink()
    record, lying = sheet_file.look(alice)
    assert (record.confirmed_at, len(record.folders), len(lying)) == (None, 2, 2)


def test_a_mount_that_may_be_silent_is_not_asked(alice, folder, tmp_path, monkeypatch):
    paths = sheet_file.write(alice, folder, CONTENTS)
    table = tmp_path / "mountinfo"
    monkeypatch.setattr("unstoppable.runner.sheet_file.MOUNTINFO", table)

    def likely(kind: str) -> tuple[Path, ...]:
        table.write_text(f"20 1 8:1 / / rw - ext4 x rw\n21 20 0:9 / {folder} rw - {kind} y rw\n")
        return sheet_file.likely(alice)[1]

    assert likely("ext4") == likely("nfs4") == paths
    for path in paths:
        path.unlink()
        os.mkfifo(path)
    assert (likely("ext4"), likely("nfs4"), likely("fuse.sshfs")) == ((), paths, paths)
    table.unlink()
    assert sheet_file.likely(alice)[1] == paths


def test_what_cannot_be_read_may_lie_there(alice, folder, tmp_path):
    paths = sheet_file.write(alice, folder, CONTENTS)
    folder.rename(tmp_path / "away")
    assert sheet_file.likely(alice)[1] == ()
    folder.symlink_to(folder.name)

    assert sheet_file.likely(alice)[1] == paths


def test_an_empty_file_is_a_sheet_begun_where_one_was_written(alice, folder):
    page, text = sheet_file.write(alice, folder, CONTENTS)
    page.write_text("")
    assert sheet_file.missing(alice, folder) == (page,)

    sheet_file.write(alice, folder, CONTENTS)
    assert page.read_text() == text.read_text()
    page.write_text("")

    assert sheet_file.confirm(alice, NOW) == (page, text)
    assert names(folder) == set()


def test_an_empty_file_elsewhere_is_somebodys(alice, folder):
    folder.mkdir()
    (folder / FILE_NAMES[0]).touch()

    with pytest.raises(SheetExists):
        sheet_file.write(alice, folder, CONTENTS)


def test_a_stick_that_comes_back_is_not_forgotten(alice, tmp_path):
    stick, away = tmp_path / "stick", tmp_path / "away"
    sheet_file.write(alice, stick, CONTENTS)
    stick.rename(away)
    assert sheet_file.confirm(alice, NOW) == ()
    away.rename(stick)

    assert len(sheet_file.look(alice)[1]) == 2
    assert len(sheet_file.confirm(alice, NOW)) == 2


def test_files_of_somebody_else_stay(alice, folder):
    page, text = sheet_file.write(alice, folder, CONTENTS)
    page.unlink()
    text.write_text(f"bob's sheet, key {'b' * 64}")
    page.symlink_to(text)

    assert sheet_file.confirm(alice, NOW) == ()

    assert names(folder) == set(FILE_NAMES)


def test_half_a_sheet_is_not_completed_beside_a_file_of_somebody_else(alice, folder):
    page, text = sheet_file.write(alice, folder, CONTENTS)
    page.unlink()
    text.write_text("bob's")

    with pytest.raises(SheetExists, match=text.name):
        sheet_file.write(alice, folder, CONTENTS)

    assert names(folder) == {text.name}


def test_what_is_no_file_is_no_sheet_and_is_not_waited_for(alice, folder, tmp_path):
    page, text = sheet_file.write(alice, folder, CONTENTS)
    page.rename(tmp_path / "mine")
    page.symlink_to(tmp_path / "mine")
    text.unlink()
    os.mkfifo(text)

    assert sheet_file.look(alice)[1] == ()
    assert sheet_file.confirm(alice, NOW) == ()
    assert names(folder) == set(FILE_NAMES)


def test_another_key_is_not_confirmed_with_it(alice, folder):
    sheet_file.write(alice, folder, CONTENTS)
    sheet_file.confirm(alice, NOW)
    newer = replace(alice, key_fingerprint="d" * 64)

    assert sheet_file.look(newer)[0].confirmed_at is None
    assert sheet_file.look(alice)[0].confirmed_at == NOW


def test_what_a_confirmation_cannot_delete_is_told_and_stays_known(alice, folder, monkeypatch):
    sheet_file.write(alice, folder, CONTENTS)

    def refuse(_path, *, missing_ok=False):  # noqa: ARG001 - as it is called
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(FolderUnusable, match="Operation not permitted"):
        sheet_file.confirm(alice, NOW)
    monkeypatch.undo()

    record, lying = sheet_file.look(alice)
    assert (record.confirmed_at, len(lying)) == (NOW, 2)


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}"])
def test_a_record_that_cannot_be_read_is_an_error_and_stays(alice, folder, content):
    alice.state.mkdir()
    record = alice.state / sheet_file.RECORD_NAME
    record.write_bytes(content)

    with pytest.raises(SheetRecordInvalid):
        sheet_file.look(alice)
    with pytest.raises(SheetRecordInvalid):
        sheet_file.write(alice, folder, CONTENTS)

    assert record.read_bytes() == content
    assert not folder.exists()


@pytest.mark.parametrize("name", [sheet_file.RECORD_NAME, sheet_file._LOCK_NAME])
def test_a_folder_in_the_way_is_told(alice, folder, name):
    (alice.state / name).mkdir(parents=True)

    with pytest.raises((SheetRecordInvalid, FolderUnusable), match=r"(?i)is a directory"):
        sheet_file.write(alice, folder, CONTENTS)


def test_a_folder_that_cannot_be_written_is_told(alice, folder, monkeypatch):
    def full(_path, _chunks):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_new", full)

    with pytest.raises(FolderUnusable, match="No space left on device"):
        sheet_file.write(alice, folder, CONTENTS)
