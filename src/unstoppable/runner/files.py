"""Folders nobody else enters and files that are whole or not there."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from unstoppable.domain.errors import FolderUnusable

_NO_SECOND_NAMES = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems say that know no hard links, such as FAT."""


def is_there(path: Path) -> bool:
    """Return whether something has this name, a link that leads nowhere too; raises OSError."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def make_private_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, for this user alone; raises FolderUnusable."""
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            sync_folder(path.parent)
        if not folder.is_dir():
            raise FolderUnusable(path=folder, cause="it is not a folder")
    except OSError as error:
        raise FolderUnusable(path=error.filename or folder, cause=error.strerror) from error


def write_new(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file that was not there, 0600, whole and on disk, or not at all.

    Raises FileExistsError and touches nothing if it is there, at the end or before anything is
    taken of `chunks`.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    draft = _write_draft(path, chunks)
    try:
        _name(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o600,
    keeps_readers: bool = False,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Write a file, whole and on disk, in place of what is there.

    `look` is done last: where it raises, what is there stays.

    With `keeps_readers` whoever could read what is there can read it after, and nobody else can;
    `mode` is then that of a file that was not there. Raises OSError, and leaves what is there,
    where this user may not give a file to its group.
    """
    draft = _write_draft(path, [content], access=_access_of(path, mode) if keeps_readers else mode)
    try:
        look()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_drafts(path: Path) -> None:
    """Remove what a killed writer of `path` left beside it; only while nobody else writes it."""
    for draft in path.parent.glob(f"{draft_prefix(path)}*"):
        draft.unlink(missing_ok=True)


def draft_prefix(path: Path) -> str:
    """Return how the names of a file's drafts begin."""
    return f".{path.name}.draft-"


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _name(draft: Path, path: Path) -> None:
    """Give a draft its name; raises FileExistsError where that is taken."""
    try:
        path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_SECOND_NAMES:
            raise
        path.touch(mode=0o600, exist_ok=False)
        draft.replace(path)


def _access_of(path: Path, mode: int) -> int | os.stat_result:
    """Return what tells who may read a file; `mode` where there is none."""
    try:
        return path.stat()
    except FileNotFoundError:
        return mode


def _give(opened: int, access: int | os.stat_result) -> None:
    """Give a file of this user's alone a mode, or the owner, group and mode of another one.

    By its descriptor: a name could be a link by now. Its group comes before anything that a group
    may do, so that no other one may do it for a moment. Its owner is root or this user, or it would
    not have been read: what is root's becomes this user's, who cannot give anything away.
    """
    if isinstance(access, int):
        os.fchmod(opened, access)
        return
    own = os.fstat(opened)
    owner = access.st_uid if os.geteuid() == 0 else own.st_uid
    if (owner, access.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(opened, owner, access.st_gid)
    os.fchmod(opened, stat.S_IMODE(access.st_mode) & 0o777)


def _write_draft(
    path: Path, chunks: Iterable[bytes], *, access: int | os.stat_result = 0o600
) -> Path:
    draft = path.with_name(draft_prefix(path) + secrets.token_hex(8))
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.writelines(chunks)
            file.flush()
            _give(file.fileno(), access)
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft
