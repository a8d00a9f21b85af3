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
    write_new(tmp_path / ".env", b"content")

    assert (tmp_path / ".env").read_bytes() == b"content"
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_file_that_is_there_is_never_overwritten_as_new(tmp_path):
    (tmp_path / ".env").write_bytes(b"the only key")

    with pytest.raises(FileExistsError):
        write_new(tmp_path / ".env", b"another key")

    assert (tmp_path / ".env").read_bytes() == b"the only key"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_replacing_follows_no_link(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "pins.json").symlink_to(tmp_path / "precious")

    replace(tmp_path / "pins.json", b"pins")

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "pins.json").read_bytes() == b"pins"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (".pins.json.draft-1", "pins.json", ".other.draft-1"):
        (tmp_path / name).touch()

    remove_drafts(tmp_path / "pins.json")

    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.draft-1", "pins.json"]
