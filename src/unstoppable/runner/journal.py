"""The journal: every run of this machine, on disk before anything else is told."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from unstoppable.domain.errors import JournalUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.runner.files import make_private_folder

FILE_NAME = "journal.sqlite3"
VERSION = 3
_BUSY_SECONDS = 30
CLOCK_STEP = timedelta(minutes=5)
"""By how much a clock may be put back without making what was recorded before look wrong."""
_SLOT = "json_extract(record, '$.slot')"
_STEPS = (
    (
        """
        CREATE TABLE runs (
            run        TEXT PRIMARY KEY,
            customer   TEXT NOT NULL,
            resource   TEXT NOT NULL,
            started_at INTEGER NOT NULL,  -- seconds since 1970, UTC
            outcome    TEXT,              -- NULL while it runs
            record     TEXT NOT NULL      -- canonical JSON, the truth; columns are for searching
        ) STRICT
        """,
        "CREATE INDEX runs_by_resource ON runs (customer, resource)",
        "CREATE INDEX runs_going_on ON runs (customer) WHERE outcome IS NULL",
    ),
    (f"CREATE INDEX runs_by_slot ON runs (customer, resource, {_SLOT})",),
    (
        """
        CREATE TABLE mounts (
            customer TEXT NOT NULL,
            resource TEXT NOT NULL,
            point    BLOB NOT NULL,  -- a path, absolute
            PRIMARY KEY (customer, resource, point)
        ) STRICT, WITHOUT ROWID
        """,
    ),
)
"""What makes each version from the one before it, the first from nothing."""
_WRITE = """
INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET outcome = excluded.outcome, record = excluded.record
"""


class Journal:
    """The journal of one installation; opened anew for each use, so a long run keeps no lock."""

    def __init__(self, state: Path) -> None:
        self.path = state / FILE_NAME

    def write(self, *records: RunRecord) -> None:
        """Keep the records, each in place of the one its run has; on disk when this returns.

        Raises JournalUnusable or FolderUnusable.
        """
        rows = [
            (
                record.run.id,
                *_name(record.run.resource),
                _seconds(record.run.started_at),
                record.outcome,
                record.to_json(),
            )
            for record in records
        ]
        make_private_folder(self.path.parent)
        self._make_private()
        with self._opened() as connection:
            connection.executemany(_WRITE, rows)

    def going_on(self, customer: str) -> list[RunRecord]:
        """Return the customer's runs that have no outcome; raises JournalUnusable."""
        return self._select("customer = ? AND outcome IS NULL ORDER BY rowid", (customer,))

    def runs(self, resource: ResourceName, *, limit: int) -> list[RunRecord]:
        """Return the last runs of a resource, newest first; raises JournalUnusable."""
        return self._of(resource, "TRUE ORDER BY rowid DESC LIMIT ?", limit)

    def last_slot(self, resource: ResourceName, *, until: datetime) -> datetime | None:
        """Return the newest slot up to `until` that has a record; raises JournalUnusable.

        What a clock that was ahead left in the future must not end all backups until then.
        """
        found = self._of(
            resource,
            f"{_SLOT} <= ? AND started_at <= ? ORDER BY {_SLOT} DESC LIMIT 1",
            _seconds(until),
            _seconds(until + CLOCK_STEP),
        )
        return found[0].run.slot_at if found else None

    def last_start(self, resource: ResourceName, *, until: datetime) -> datetime | None:
        """Return when the newest run up to `until` began; raises JournalUnusable."""
        condition = "started_at <= ? ORDER BY started_at DESC LIMIT 1"
        found = self._of(resource, condition, _seconds(until + CLOCK_STEP))
        return found[0].run.started_at if found else None

    def has_run_for(self, resource: ResourceName, slot_at: datetime, *, until: datetime) -> bool:
        """Return whether a run began for the slot, however it ended; raises JournalUnusable."""
        found = self._of(
            resource,
            f"{_SLOT} = ? AND outcome IS NOT ? AND started_at <= ? LIMIT 1",
            _seconds(slot_at),
            Outcome.SKIPPED,
            _seconds(until + CLOCK_STEP),
        )
        return bool(found)

    def at_work(
        self, resource: ResourceName, *, after: datetime, until: datetime
    ) -> list[RunRecord]:
        """Return runs that had their lane and ended between two moments; raises JournalUnusable."""
        return self._of(
            resource,
            "outcome <> ? AND json_extract(record, '$.ended_at') BETWEEN ? AND ?",
            Outcome.SKIPPED,
            _seconds(after),
            _seconds(until),
        )

    def mounts(self, resource: ResourceName) -> frozenset[bytes]:
        """Return the mount points that its next backup needs; raises JournalUnusable.

        Changes nothing: a dry run asks as well.
        """
        if not self._is_there():
            return frozenset()
        with self._opened(end="ROLLBACK") as connection:
            query = "SELECT point FROM mounts WHERE customer = ? AND resource = ?"
            return frozenset(point for (point,) in connection.execute(query, _name(resource)))

    def remember_mounts(self, resource: ResourceName, points: Iterable[bytes]) -> None:
        """Keep the mount points that the next backup needs, in place of those that are there.

        Raises JournalUnusable or FolderUnusable.
        """
        make_private_folder(self.path.parent)
        self._make_private()
        with self._opened() as connection:
            delete = "DELETE FROM mounts WHERE customer = ? AND resource = ?"
            connection.execute(delete, _name(resource))
            rows = [(*_name(resource), point) for point in points]
            connection.executemany("INSERT INTO mounts VALUES (?, ?, ?)", rows)

    def _of(self, resource: ResourceName, condition: str, *values: str | int) -> list[RunRecord]:
        return self._select(
            f"customer = ? AND resource = ? AND {condition}", (*_name(resource), *values)
        )

    def _select(self, condition: str, values: tuple[str | int, ...]) -> list[RunRecord]:
        if not self._is_there():
            return []
        with self._opened() as connection:
            query = f"SELECT record FROM runs WHERE {condition}"  # noqa: S608 - our own words
            found = connection.execute(query, values).fetchall()
            return [RunRecord.from_json(text) for (text,) in found]

    def _is_there(self) -> bool:
        try:
            return self.path.exists()
        except OSError as error:  # a folder that this user may not enter
            raise JournalUnusable(path=self.path, cause=error.strerror) from error

    def _make_private(self) -> None:
        """SQLite gives its other files the permissions of this one."""
        try:
            self.path.touch(mode=0o600)
        except OSError as error:
            raise JournalUnusable(path=self.path, cause=error.strerror) from error

    @contextmanager
    def _opened(self, *, end: str = "COMMIT") -> Iterator[sqlite3.Connection]:
        """One transaction; whatever is wrong with the file becomes JournalUnusable.

        One that ends in ROLLBACK sees a journal of an older version as it would be now.
        """
        try:
            with closing(sqlite3.connect(self.path, _BUSY_SECONDS, isolation_level=None)) as opened:
                opened.execute("PRAGMA journal_mode = WAL")
                opened.execute("PRAGMA synchronous = FULL")
                opened.execute("BEGIN IMMEDIATE")
                _upgrade(opened)
                yield opened
                opened.execute(end)
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            raise JournalUnusable(path=self.path, cause=error) from error


def _upgrade(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise ValueError("a newer version of this program wrote it")
    for step in _STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _name(resource: ResourceName) -> tuple[str, str]:
    return resource.customer, resource.resource


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
