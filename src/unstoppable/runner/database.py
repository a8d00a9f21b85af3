"""Opening a database of this machine, which several processes use at once."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from unstoppable.runner.aside import in_place

BUSY_SECONDS = 30
_PAUSE_SECONDS = 0.01
Steps = Sequence[Sequence[str]]
"""What makes each version of a database from the one before it, the first from nothing."""


@contextmanager
def transaction(path: Path, steps: Steps, *, end: str = "COMMIT") -> Iterator[sqlite3.Connection]:
    """One transaction of a database that is of the newest version in it.

    One that ends in ROLLBACK sees one of an older version as it would be now. Nobody puts it aside
    meanwhile. Raises sqlite3.Error or OSError, or ValueError where a newer program wrote it.
    """
    with in_place(path), closing(connect(path)) as opened:
        opened.execute("BEGIN IMMEDIATE")
        _upgrade(opened, steps)
        yield opened
        opened.execute(end)


def _upgrade(opened: sqlite3.Connection, steps: Steps) -> None:
    (version,) = opened.execute("PRAGMA user_version").fetchone()
    if version == len(steps):
        return
    if version > len(steps):
        raise ValueError("a newer version of this program wrote it")
    for step in steps[version:]:
        for statement in step:
            opened.execute(statement)
    opened.execute(f"PRAGMA user_version = {len(steps)}")


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection whose transactions begin and end by themselves; raises sqlite3.Error.

    What was committed is on disk. Others are waited for, for `BUSY_SECONDS` at most.
    """
    opened = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)
    try:
        _log_ahead(opened)
        opened.execute("PRAGMA synchronous = FULL")
    except BaseException:
        opened.close()
        raise
    return opened


def _log_ahead(opened: sqlite3.Connection) -> None:
    """Where several are the first at once, SQLite lets only one of them change the mode.

    It calls the database locked then, and does not wait as it does for everything else.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            opened.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
