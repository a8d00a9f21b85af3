"""A sample is taken from all folders, and of files alone."""

import os
from random import Random

from unstoppable.runner.sample import _choose, _state


def test_files_are_chosen_once_and_neither_links_nor_folders_are(tmp_path):
    for number in range(30):
        folder = tmp_path / str(number % 3)
        folder.mkdir(exist_ok=True)
        (folder / f"file {number}").write_text("x")
    (tmp_path / "link").symlink_to("0")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")

    chosen = list(_choose(tmp_path, Random(1)))  # noqa: S311

    assert len(chosen) == len(set(chosen)) == 30
    assert all(path.is_file() and not path.is_symlink() for path in chosen)
    assert list(_choose(tmp_path, Random(1))) == chosen  # noqa: S311


def test_a_source_that_is_gone_has_no_files(tmp_path):
    assert list(_choose(tmp_path / "gone", Random(1))) == []  # noqa: S311


def test_what_is_no_small_file_is_left_alone(tmp_path):
    (tmp_path / "large").write_bytes(b"")
    os.truncate(tmp_path / "large", (16 << 20) + 1)
    (tmp_path / "link").symlink_to("large")

    assert [_state(tmp_path / name) for name in ("large", "link", "gone", ".")] == [None] * 4
