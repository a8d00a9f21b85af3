"""A damaged journal is put under another name, never thrown away and never overwritten."""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from unstoppable.runner.files import sync_folder

_BESIDE = ("-wal", "-shm", "")
"""The journal itself goes last: what SQLite left beside it must never be taken for a new one's."""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WORDS_OF_DAMAGE = ("malformed JSON",)
"""What has no number of its own: a record whose text was changed."""


def is_damage(error: BaseException) -> bool:
    """Return whether SQLite says that a file is broken, or none of its own."""
    # The lower byte is the error, the rest of it which kind.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in _DAMAGE or str(error) in _WORDS_OF_DAMAGE)


@contextmanager
def in_place(path: Path, *, alone: bool = False) -> Iterator[None]:
    """Keep a journal from being put aside while the context lasts; alone: from being used.

    Where folders know no locks, nobody puts it aside. Raises OSError.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except OSError:
            if alone:
                raise
        yield
    finally:
        os.close(folder)


def set_aside(
    path: Path, is_garbled: Callable[[sqlite3.Connection], bool] = lambda _opened: False
) -> Path | None:
    """Put a journal that is damaged under another name and return that.

    `is_garbled` is asked where SQLite finds nothing wrong.
    None where it is whole: somebody else was quicker. Raises OSError.
    """
    with in_place(path, alone=True):
        if not _is_damaged(path, is_garbled):
            return None
        mark = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        aside = path.with_name(f"{path.stem}-damaged-{mark}{path.suffix}")
        for ending in _BESIDE:
            beside = Path(f"{path}{ending}")
            if beside.exists():
                beside.rename(f"{aside}{ending}")
        sync_folder(path.parent)
        return aside


def _is_damaged(path: Path, is_garbled: Callable[[sqlite3.Connection], bool]) -> bool:
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as opened:
            is_whole = opened.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            return not is_whole or is_garbled(opened)
    except sqlite3.Error as error:
        if is_damage(error):
            return True
        raise OSError(str(error)) from error
