"""Opening a database of this machine, which several processes use at once."""

import sqlite3
import time
from pathlib import Path

BUSY_SECONDS = 30
_PAUSE_SECONDS = 0.01


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
