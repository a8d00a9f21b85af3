"""A tree with everything that a customer's folder has and a client of FTP forgets."""

import os
import stat
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

DEEP = 60
MANY = 5000
MOMENTS = (
    datetime(1960, 2, 29, 12, 0, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(2040, 6, 1, 0, 0, 1, tzinfo=UTC),
)
"""What the files of the group `times` were modified at."""


def _write(folder: Path, *names: str | bytes) -> None:
    """Write files that tell their names."""
    for name in names:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content of " + os.fsencode(name) + b"\n")


def _hidden(folder: Path) -> None:
    _write(folder, ".htaccess", ".git/config", "..two", "...")


def _spaces(folder: Path) -> None:
    _write(folder, " before", "after ", " both ", "in  between", " folder /inside", " ")


def _encodings(folder: Path) -> None:
    _write(folder, "größe.txt", "日本語", "e\N{COMBINING ACUTE ACCENT}", "ordner-ä/datei-ö")
    _write(folder, b"latin-\xe9", b"\xff", b"\xff\xff", b"\xe9t\xe9/\xe0")


def _line_breaks(folder: Path) -> None:
    _write(folder, "new\nline", "folder\n/inside")


def _carriage_returns(folder: Path) -> None:
    _write(folder, "carriage\rreturn", "between")


def _controls(folder: Path) -> None:
    _write(folder, "tab\there", "escape\x1b[31m")


def _dashes(folder: Path) -> None:
    _write(folder, "-", "-la", "--help", "-a/inside")


def _globs(folder: Path) -> None:
    _write(folder, "*", "?", "[a-z]", "{a,b}", "*.txt", "~", "[folder]/inside")


def _backslashes(folder: Path) -> None:
    _write(folder, "back\\slash", "\\", "ends\\", "folder\\/inside")


def _phrases(folder: Path) -> None:
    """Make names that a listing's own grammar knows."""
    _write(
        folder, "semi;colon", "type=dir; size=1; x", "arrow -> here", '"quoted"', "100%", "total 8"
    )
    _write(folder, "-rw-r--r-- 1 0 0 5 Jan 01 2020 x", "#", "$HOME", "'", "a:b", "con", "|")


def _empty_folders(folder: Path) -> None:
    for name in ("empty", "outer/inner", ".hidden"):
        (folder / name).mkdir(parents=True)


def _empty_files(folder: Path) -> None:
    (folder / "zero").touch()
    (folder / "one").write_bytes(b"\n")


def _links(folder: Path) -> None:
    _write(folder, "file", "folder/inside")
    for name, target in (
        ("to-file", "file"),
        ("to-folder", "folder"),
        ("to-nothing", "nothing"),
        ("out-of-the-root", "/etc/hostname"),
        ("above-the-root", "../" * 40 + "etc/hostname"),
        ("arrow -> in its name", "file"),
        ("to-arrow", "a -> b"),
    ):
        (folder / name).symlink_to(target)


def _loops(folder: Path) -> None:
    _write(folder, "folder/inside")
    (folder / "itself").symlink_to("itself")
    (folder / "ping").symlink_to("pong")
    (folder / "pong").symlink_to("ping")
    (folder / "folder/upwards").symlink_to("..")


def _pipes(folder: Path) -> None:
    os.mkfifo(folder / "fifo")


def _sockets(folder: Path) -> None:
    os.mknod(folder / "socket", stat.S_IFSOCK | 0o644)


def _modes(folder: Path) -> None:
    """Make what the user of a server may not read, nor he whose it is."""
    for mode in (0o000, 0o311, 0o644):
        _write(folder, f"{mode:03o}/inside", f"{mode:03o}/below/inside")
        (folder / f"{mode:03o}").chmod(mode)
    _write(folder, "unreadable", "readable")
    (folder / "unreadable").chmod(0o000)


def _deep(folder: Path) -> None:
    levels = folder.joinpath(*(f"{level:02}" for level in range(1, DEEP + 1)))
    _write(levels, "bottom")


def make_many(folder: Path) -> None:
    """Make one folder of MANY files."""
    _write(folder, *(f"{number:04}" for number in range(MANY)))


def _times(folder: Path) -> None:
    for moment in MOMENTS:
        name = f"{moment:%Y-%m-%d}"
        _write(folder, name)
        seconds = int(moment.timestamp())
        os.utime(folder / name, (seconds, seconds))


def _order(folder: Path) -> None:
    """Make a folder whose place differs with and without the slash behind it."""
    _write(folder, "a/inside", "a-b", "a.txt", "a b", "a0", "A", "b/inside", "b-c/inside")


GROUPS: dict[str, Callable[[Path], None]] = {
    "hidden": _hidden,
    "spaces": _spaces,
    "encodings": _encodings,
    "line breaks": _line_breaks,
    "carriage returns": _carriage_returns,
    "controls": _controls,
    "dashes": _dashes,
    "globs": _globs,
    "backslashes": _backslashes,
    "phrases": _phrases,
    "empty folders": _empty_folders,
    "empty files": _empty_files,
    "links": _links,
    "loops": _loops,
    "pipes": _pipes,
    "sockets": _sockets,
    "modes": _modes,
    "deep": _deep,
    "many": make_many,
    "times": _times,
    "order": _order,
}
"""What can be left out; each lies in a folder of its name."""


def make_nasty(root: Path, without: Collection[str] = ()) -> None:
    """Make the tree in a folder, all of it the folder's owner's; paths are any bytes but NUL."""
    assert set(without) <= GROUPS.keys(), without
    for name, make in GROUPS.items():
        if name not in without:
            folder = root / name
            folder.mkdir()
            make(folder)
