import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from unstoppable.domain.errors import FolderUnusable
from unstoppable.runner.files import make_private_folder, remove_drafts, replace, write_new


def test_every_folder_that_was_missing_is_private(tmp_path):
    make_private_folder(tmp_path / "a/b/c")

    for name in ("a", "a/b", "a/b/c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path):
    tmp_path.chmod(0o755)

    make_private_folder(tmp_path)

    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("below", ["", "/a"])
def test_a_file_in_the_way_is_told(tmp_path, below):
    (tmp_path / "file").touch()

    with pytest.raises(FolderUnusable):
        make_private_folder(Path(f"{tmp_path}/file{below}"))


def test_a_new_file_is_private_and_whole(tmp_path):
    write_new(tmp_path / ".env", [b"con", b"tent"])

    assert (tmp_path / ".env").read_bytes() == b"content"
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_file_that_is_there_is_never_overwritten_as_new(tmp_path):
    (tmp_path / ".env").write_bytes(b"the only key")

    with pytest.raises(FileExistsError):
        write_new(tmp_path / ".env", [b"another key"])

    assert (tmp_path / ".env").read_bytes() == b"the only key"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_new_file_has_its_name_when_it_is_whole(tmp_path):
    seen: list[str] = []

    def chunks():
        yield b"begin"
        seen.extend(path.name for path in tmp_path.iterdir())
        yield b"end"

    write_new(tmp_path / "dump", chunks())

    assert len(seen) == 1
    assert seen[0].startswith(".dump.draft-")
    assert (tmp_path / "dump").read_bytes() == b"beginend"


def test_what_breaks_off_leaves_nothing(tmp_path):
    def chunks():
        yield b"begin"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_new(tmp_path / "dump", chunks())

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_came_meanwhile_stays(tmp_path):
    def chunks():
        (tmp_path / "dump").write_bytes(b"bob's")
        yield b"alice's"

    with pytest.raises(FileExistsError):
        write_new(tmp_path / "dump", chunks())

    assert (tmp_path / "dump").read_bytes() == b"bob's"
    assert [path.name for path in tmp_path.iterdir()] == ["dump"]


@pytest.mark.parametrize("came", [b"", b"bob's"])
def test_file_systems_without_hard_links_get_new_files_too(tmp_path, monkeypatch, came):
    def refuse(path: Path, _draft: Path) -> None:
        if came:
            path.write_bytes(came)
        raise PermissionError(errno.EPERM, "no hard links")

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    with pytest.raises(FileExistsError) if came else nullcontext():
        write_new(tmp_path / "dump", [b"alice's"])

    assert (tmp_path / "dump").read_bytes() == (came or b"alice's")
    assert [path.name for path in tmp_path.iterdir()] == ["dump"]


def test_replacing_follows_no_link(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "pins.json").symlink_to(tmp_path / "precious")

    replace(tmp_path / "pins.json", b"pins")

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "pins.json").read_bytes() == b"pins"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_who_could_read_what_is_replaced_can_read_it_after(tmp_path, mode):
    (tmp_path / "pins.json").touch()
    os.chown(tmp_path / "pins.json", -1, 1)
    (tmp_path / "pins.json").chmod(mode)

    replace(tmp_path / "pins.json", b"pins", keeps_readers=True)

    found = (tmp_path / "pins.json").stat()
    assert (found.st_gid, found.st_mode & 0o7777) == (1, mode)
    assert (tmp_path / "pins.json").read_bytes() == b"pins"


def test_what_was_not_there_is_for_nobody_else(tmp_path):
    replace(tmp_path / "pins.json", b"pins", keeps_readers=True)

    assert (tmp_path / "pins.json").stat().st_mode & 0o7777 == 0o600


def test_a_group_that_cannot_be_kept_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "pins.json").write_bytes(b"former")
    os.chown(tmp_path / "pins.json", -1, 1)

    def refuse(*_given: int) -> None:
        raise PermissionError(errno.EPERM, "not a member")

    monkeypatch.setattr(os, "fchown", refuse)

    with pytest.raises(PermissionError):
        replace(tmp_path / "pins.json", b"pins", keeps_readers=True)

    assert [path.name for path in tmp_path.iterdir()] == ["pins.json"]
    assert (tmp_path / "pins.json").read_bytes() == b"former"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (".pins.json.draft-1", "pins.json", ".other.draft-1"):
        (tmp_path / name).touch()

    remove_drafts(tmp_path / "pins.json")

    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.draft-1", "pins.json"]
