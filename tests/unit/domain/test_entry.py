import dataclasses
from typing import Any

import pytest

from unstoppable.domain.entry import Entry, line

FILE = Entry(
    path=b"letters/bob.txt",
    kind="file",
    target=None,
    mode=0o4755,
    uid=1000,
    gid=1000,
    user="alice",
    group="",
    size_bytes=9,
    modified_seconds=0,
    snapshot_id="0" * 64,
)


def shown(**changes: Any) -> str:
    return line(dataclasses.replace(FILE, **changes), lambda seconds: f"at {seconds}")


def test_a_line_tells_mode_owner_bytes_time_and_path():
    assert shown() == "-rwsr-xr-x alice:1000                  9 at 0 letters/bob.txt"
    assert shown(kind="folder").split()[:3] == ["drwsr-xr-x", "alice:1000", "-"]


def test_a_link_tells_its_target():
    told = shown(kind="symlink", target=b"../x", mode=0o777)

    assert told.startswith("lrwxrwxrwx ")
    assert told.endswith(" letters/bob.txt -> ../x")


def test_what_is_not_known_is_a_question_mark():
    told = shown(mode=None, user=None, group=None, uid=None, gid=None, modified_seconds=None)

    assert told.split() == ["??????????", "?:?", "9", "?", "letters/bob.txt"]
    assert shown(kind="unknown").startswith("?rwsr-xr-x ")


@pytest.mark.parametrize("field", ["path", "target"])
def test_mallorys_names_cannot_command_a_terminal(field):
    told = shown(**{field: b"\x1b[2J\n\xff\\"}, user="\x1b]0;x\x07")

    assert told.isprintable()
    assert r"\x1b[2J\x0a\xff\\" in told
