"""Entries of a snapshot and how one is shown on a line."""

import stat
from collections.abc import Callable
from dataclasses import dataclass

from unstoppable.domain.text import printable

_TYPE_BITS = {
    "file": stat.S_IFREG,
    "folder": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "block-device": stat.S_IFBLK,
    "character-device": stat.S_IFCHR,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
_UNKNOWN = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a snapshot."""

    path: bytes
    """Below the source's folder; empty for that folder itself."""
    kind: str
    """`file`, `folder`, `symlink` and others, `unknown` among them."""
    target: bytes | None
    """What a symbolic link points to."""
    mode: int | None
    uid: int | None
    gid: int | None
    user: str | None
    group: str | None
    size_bytes: int
    modified_seconds: int | None
    """Since 1970, UTC; anything a repository may claim."""
    snapshot_id: str


def line(entry: Entry, moment: Callable[[int], str]) -> str:
    """Return an entry as `ls -l` shows it; `moment` writes seconds since 1970 for the reader."""
    owner = f"{_owner(entry.user, entry.uid)}:{_owner(entry.group, entry.gid)}"
    size = str(entry.size_bytes) if entry.kind == "file" else "-"
    when = _UNKNOWN if entry.modified_seconds is None else moment(entry.modified_seconds)
    target = "" if entry.target is None else f" -> {printable(entry.target)}"
    return f"{_mode(entry)} {owner:16} {size:>12} {when} {printable(entry.path)}{target}"


def _mode(entry: Entry) -> str:
    bits = _TYPE_BITS.get(entry.kind, 0)
    return _UNKNOWN * 10 if entry.mode is None else stat.filemode(bits | entry.mode)


def _owner(name: str | None, number: int | None) -> str:
    if name:
        return printable(name)
    return _UNKNOWN if number is None else str(number)
