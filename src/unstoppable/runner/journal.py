"""The journal: every run of this machine, on disk before anything else is told."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from unstoppable.domain.emitter import EmitterKey
from unstoppable.domain.errors import JournalUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.record_errors import (
    EmitterUnusable,
    JournalDamaged,
    JournalLost,
    JournalSetAside,
)
from unstoppable.domain.record_form import Start
from unstoppable.domain.run import RunRecord
from unstoppable.runner import emitter_file, signing
from unstoppable.runner.aside import is_damage, set_aside
from unstoppable.runner.database import transaction
from unstoppable.runner.files import make_private_folder
from unstoppable.runner.history import SLOT, Garbled, History, name_of, parsed, seconds_of

FILE_NAME = "journal.sqlite3"
_PAGE_RECORDS = 1000
_Answer = TypeVar("_Answer")
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
    (f"CREATE INDEX runs_by_slot ON runs (customer, resource, {SLOT})",),
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
    signing.STEP,
)
VERSION = len(_STEPS)
_WRITE = """
INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET outcome = excluded.outcome, record = excluded.record
WHERE runs.outcome IS NULL
AND (runs.customer, runs.resource) = (excluded.customer, excluded.resource)
"""


class Journal(History):
    """The journal of one installation; opened anew for each use, so a long run keeps no lock."""

    def __init__(self, state: Path) -> None:
        self.path = state / FILE_NAME

    def write(self, *records: RunRecord) -> JournalLost | None:
        """Keep the records, each in place of the one its run has; on disk when this returns.

        A run that ended is signed in the same transaction, and stays as it is from then on: what
        is told of it once more, with the same outcome, changes nothing.
        Returns what is to be told where a customer's key signed records that it knows nothing of.
        Raises EmitterUnusable where records are kept, and signed once the key can be used; else
        JournalUnusable or FolderUnusable.
        """
        make_private_folder(self.path.parent)
        self._make_private()
        ended = sorted({one.run.resource.customer for one in records if one.outcome is not None})
        losses = [customer for customer in ended if self._begin(customer) is Start.JOURNAL_LOST]
        keys = [self._key_of(customer) for customer in ended]
        failures = [key for key in keys if isinstance(key, EmitterUnusable)]
        with self._opened() as connection:
            for record in records:
                _keep(connection, record)
            for key in keys:
                if isinstance(key, EmitterKey):
                    failures += self._sign(connection, key)
        if failures:
            raise failures[0]
        return JournalLost(path=self.path, customer=losses[0]) if losses else None

    def set_aside(self) -> JournalSetAside | None:
        """Put a damaged journal under another name; the next one who writes begins a new one.

        Returns what is to be told; None where it is whole. Raises JournalUnusable.
        """
        try:
            aside = set_aside(self.path, _is_garbled)
        except OSError as error:
            raise JournalUnusable(path=self.path, cause=error.strerror or error) from error
        return None if aside is None else JournalSetAside(path=self.path, aside=aside)

    def envelopes(self, customer: str, *, last: int | None = None) -> Iterator[signing.Kept]:
        """Return the signed records of a customer, oldest first; raises JournalUnusable.

        All of them, or the last ones alone. Read page by page, so that a long look keeps nobody
        from writing.
        """
        number = 0
        if last is not None:
            number = self._read(lambda opened: signing.before_last(opened, customer, last)) or 0
        while found := self._page(customer, number):
            yield from found
            number = found[-1].number

    def after(self, customer: str, run: str | None, *, limit: int) -> list[signing.Kept]:
        """Return the signed records of a customer that came after a run's, oldest first.

        Where the run has none, in a new journal say, they begin with the first. Raises
        JournalUnusable.
        """

        def question(opened: sqlite3.Connection) -> list[signing.Kept]:
            number = signing.number_of(opened, customer, run)
            return signing.page(opened, customer, number, limit)

        return self._read(question) or []

    def count_after(self, customer: str, run: str | None) -> int:
        """Return how many those are; raises JournalUnusable."""

        def question(opened: sqlite3.Connection) -> int:
            return signing.count_after(opened, customer, signing.number_of(opened, customer, run))

        return self._read(question) or 0

    def owed(self, customer: str) -> list[RunRecord]:
        """Return the records that are signed once the key can be used; raises JournalUnusable."""
        found = self._read(lambda opened: signing.owed(opened, customer)) or []
        return [RunRecord.from_json(text) for text in found]

    def books(self, customer: str) -> signing.Books:
        """Return what it says of the customer's records as a whole; raises JournalUnusable."""
        return self._read(lambda opened: signing.books(opened, customer)) or signing.NO_BOOKS

    def mounts(self, resource: ResourceName) -> frozenset[bytes]:
        """Return the mount points that its next backup needs; raises JournalUnusable.

        Changes nothing: a dry run asks as well.
        """
        query = "SELECT point FROM mounts WHERE customer = ? AND resource = ?"
        found = self._read(lambda opened: opened.execute(query, name_of(resource)).fetchall())
        return frozenset(point for (point,) in found or [])

    def remember_mounts(self, resource: ResourceName, points: Iterable[bytes]) -> None:
        """Keep the mount points that the next backup needs, in place of those that are there.

        Raises JournalUnusable or FolderUnusable.
        """
        make_private_folder(self.path.parent)
        self._make_private()
        with self._opened() as connection:
            delete = "DELETE FROM mounts WHERE customer = ? AND resource = ?"
            connection.execute(delete, name_of(resource))
            rows = [(*name_of(resource), point) for point in points]
            connection.executemany("INSERT INTO mounts VALUES (?, ?, ?)", rows)

    def _begin(self, customer: str) -> Start | None:
        """Begin a chain where one is missing; returns why, where one was."""
        with self._opened() as connection:
            try:
                has_key = emitter_file.is_there(self.path.parent, customer)
            except EmitterUnusable:
                return None  # Which is told when the key is asked for.
            return signing.begin(connection, customer, has_key=has_key)

    def _key_of(self, customer: str) -> EmitterKey | EmitterUnusable:
        """Return the key for the customer's chain, made where it is missing."""
        try:
            return emitter_file.require(self.path.parent, customer)
        except EmitterUnusable as error:
            return error

    def _sign(self, connection: sqlite3.Connection, key: EmitterKey) -> list[EmitterUnusable]:
        customer = key.emitter.name
        try:
            signing.sign_owed(connection, customer, key)
        except signing.AnotherKey:
            return [emitter_file.another_key(self.path.parent, customer)]
        return []

    def _page(self, customer: str, after: int) -> list[signing.Kept]:
        size = _PAGE_RECORDS
        return self._read(lambda opened: signing.page(opened, customer, after, size)) or []

    def _read(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """Return an answer and change nothing; None where there is no journal."""
        if not self._is_there():
            return None
        with self._opened(end="ROLLBACK") as connection:
            return question(connection)

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
            with transaction(self.path, _STEPS, end=end) as opened:
                yield opened
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as error:
            is_damaged = is_damage(error) or isinstance(error, Garbled)
            kind = JournalDamaged if is_damaged else JournalUnusable
            raise kind(path=self.path, cause=getattr(error, "strerror", error)) from error


def _is_garbled(connection: sqlite3.Connection) -> bool:
    """Return whether the journal holds a record that is none."""
    try:
        for (text,) in connection.execute("SELECT record FROM runs"):
            parsed(text)
    except Garbled:
        return True
    return False


def _keep(connection: sqlite3.Connection, record: RunRecord) -> None:
    run = record.run
    row = (*name_of(run.resource), seconds_of(run.started_at), record.outcome, record.to_json())
    if connection.execute(_WRITE, (run.id, *row)).rowcount == 0:
        query = "SELECT customer, resource, outcome FROM runs WHERE run = ?"
        *name, outcome = connection.execute(query, (run.id,)).fetchone()
        if tuple(name) != name_of(run.resource):
            cause = f"run {run.id} is another resource's"
            raise ValueError(cause)
        if outcome != record.outcome:
            cause = f"run {run.id} is recorded already as {outcome}"
            raise ValueError(cause)
    elif record.outcome is not None:
        signing.owe(connection, run.id)
