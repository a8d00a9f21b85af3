"""What was told to whom, and what waits; it survives restarts, and losing it loses no record.

A file of its own beside the journal: what it knows can be told once more, the journal's cannot.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unstoppable.domain.alerts import Alert, Known
from unstoppable.domain.delivery_errors import OutboxDamaged, OutboxSetAside, OutboxUnusable
from unstoppable.domain.errors import FolderUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.runner.aside import is_damage, set_aside
from unstoppable.runner.database import transaction
from unstoppable.runner.files import make_private_folder

FILE_NAME = "outbox.sqlite3"
_FIRST = (
    """
    CREATE TABLE channels (
        channel      TEXT PRIMARY KEY,
        failures     INTEGER NOT NULL,  -- since it last took something
        failed_since INTEGER NOT NULL,  -- seconds since 1970, UTC
        retry_at     REAL NOT NULL,
        cause        TEXT NOT NULL,
        is_told      INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE reported (
        customer    TEXT NOT NULL,
        reporter    TEXT NOT NULL,
        run         TEXT NOT NULL,     -- the last one that was dealt with
        is_accepted INTEGER NOT NULL,  -- 0 where its record was passed over
        passed_over INTEGER NOT NULL,  -- how many ever were
        PRIMARY KEY (customer, reporter)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE pinged (
        customer TEXT NOT NULL,
        resource TEXT NOT NULL,
        run      TEXT NOT NULL,
        is_end   INTEGER NOT NULL,
        PRIMARY KEY (customer, resource, run, is_end)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE alerts (
        name    TEXT PRIMARY KEY,  -- a resource, or a customer of whom none is known
        need    TEXT,              -- NULL where nobody need look
        since   INTEGER NOT NULL,
        told_at INTEGER            -- NULL where nobody was told that it needs somebody
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE mails (
        number    INTEGER PRIMARY KEY AUTOINCREMENT,
        recipient TEXT NOT NULL,
        subject   TEXT NOT NULL,
        body      TEXT NOT NULL,
        made_at   INTEGER NOT NULL
    ) STRICT
    """,
)
_STEPS = (_FIRST,)
VERSION = len(_STEPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way that did not work the last time."""

    name: str
    failures: int = 0
    failed_since: datetime | None = None
    retry_at: float = 0
    cause: str = ""
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """How far a reporter was told of a customer's records."""

    run: str | None = None
    is_accepted: bool = False
    passed_over: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that waits."""

    number: int
    recipient: str
    subject: str
    body: str
    made_at: datetime


class Outbox:
    """The outbox of one installation; opened anew for each use."""

    def __init__(self, state: Path) -> None:
        self.path = state / FILE_NAME

    # --- ways -----------------------------------------------------------------------------------

    def channel(self, name: str) -> Channel:
        """Return how a way is; raises OutboxUnusable."""
        return next(iter(self.channels([name])), Channel(name=name))

    def channels(self, names: Sequence[str]) -> list[Channel]:
        """Return those of some ways that did not work the last time; raises OutboxUnusable."""
        rows = self._found(f"SELECT * FROM channels WHERE channel IN ({_marks(names)})", *names)  # noqa: S608 - question marks alone
        return [
            Channel(
                name=row[0],
                failures=row[1],
                failed_since=_moment(row[2]),
                retry_at=row[3],
                cause=row[4],
                is_told=bool(row[5]),
            )
            for row in rows
        ]

    def fail(self, known: Channel, *, cause: str, retry_at: float, moment: datetime) -> bool:
        """Keep that a way failed; False where somebody else kept the same failure meanwhile."""
        row = (known.name, known.failures + 1, _seconds(known.failed_since or moment))
        with self._opened() as opened:
            query = "SELECT failures FROM channels WHERE channel = ?"
            (failures,) = opened.execute(query, (known.name,)).fetchone() or (0,)
            if failures != known.failures:
                return False
            values = (*row, retry_at, cause, known.is_told)
            opened.execute("INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?, ?)", values)
        return True

    def note_told(self, name: str) -> None:
        """Keep that a person was told of a way that fails."""
        with self._opened() as opened:
            opened.execute("UPDATE channels SET is_told = 1 WHERE channel = ?", (name,))

    def mend(self, *names: str) -> None:
        """Forget that ways failed."""
        with self._opened() as opened:
            for name in names:
                opened.execute("DELETE FROM channels WHERE channel = ?", (name,))

    def require(self) -> None:
        """Write something; raises OutboxUnusable where what is told could not be remembered."""
        with self._opened() as opened:
            opened.execute(f"PRAGMA user_version = {VERSION}")

    # --- records --------------------------------------------------------------------------------

    def reported(self, customer: str, reporter: str) -> Reported:
        """Return how far a reporter was told of a customer; raises OutboxUnusable."""
        query = (
            "SELECT run, is_accepted, passed_over FROM reported WHERE customer = ? AND reporter = ?"
        )
        for run, is_accepted, passed_over in self._found(query, customer, reporter):
            return Reported(run=run, is_accepted=bool(is_accepted), passed_over=passed_over)
        return Reported()

    def note_reported(self, customer: str, reporter: str, found: Reported) -> None:
        """Keep how far a reporter was told of a customer; raises OutboxUnusable."""
        row = (customer, reporter, found.run, found.is_accepted, found.passed_over)
        with self._opened() as opened:
            opened.execute("INSERT OR REPLACE INTO reported VALUES (?, ?, ?, ?, ?)", row)

    # --- pings ----------------------------------------------------------------------------------

    def pinged(self, resource: ResourceName) -> frozenset[tuple[str, bool]]:
        """Return of which runs was told, and whether of their end; raises OutboxUnusable."""
        query = "SELECT run, is_end FROM pinged WHERE customer = ? AND resource = ?"
        found = self._found(query, resource.customer, resource.resource)
        return frozenset((run, bool(is_end)) for run, is_end in found)

    def note_pinged(
        self, resource: ResourceName, told: Iterable[tuple[str, bool]], known: Sequence[str]
    ) -> None:
        """Keep of which runs was told, and forget those that nobody asks for any more."""
        name = (resource.customer, resource.resource)
        with self._opened() as opened:
            opened.executemany(
                "INSERT OR IGNORE INTO pinged VALUES (?, ?, ?, ?)",
                [(*name, run, is_end) for run, is_end in told],
            )
            query = "DELETE FROM pinged WHERE customer = ? AND resource = ?"
            opened.execute(f"{query} AND run NOT IN ({_marks(known)})", (*name, *known))

    # --- mail -----------------------------------------------------------------------------------

    def alerts(self, *names: str) -> dict[str, Known]:
        """Return what is known of each resource, or of some; raises OutboxUnusable."""
        query = "SELECT name, need, since, told_at FROM alerts"
        if names:
            query += f" WHERE name IN ({_marks(names)})"
        rows = self._found(query, *names)
        return {
            name: Known(need=need, since=_moment(since), told_at=told_at and _moment(told_at))
            for name, need, since, told_at in rows
        }

    def note_needs(self, found: Mapping[str, Known]) -> None:
        """Keep what resources need; whether somebody was told stays as it is."""
        rows = [(name, one.need, _seconds(one.since)) for name, one in found.items()]
        query = """
            INSERT INTO alerts (name, need, since) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET need = excluded.need, since = excluded.since
            """
        with self._opened() as opened:
            opened.executemany(query, rows)

    def note_alerts(self, told: Mapping[str, Known], alerts: Iterable[Alert]) -> None:
        """Keep of which resources is told, and the mails that do it, in one step."""
        rows = [(one.told_at and _seconds(one.told_at), name) for name, one in told.items()]
        mails = [(one.recipient, one.subject, one.body, _seconds(one.made_at)) for one in alerts]
        with self._opened() as opened:
            opened.executemany("UPDATE alerts SET told_at = ? WHERE name = ?", rows)
            query = "INSERT INTO mails (recipient, subject, body, made_at) VALUES (?, ?, ?, ?)"
            opened.executemany(query, mails)

    def mails(self) -> list[Mail]:
        """Return the mails that wait, oldest first; raises OutboxUnusable."""
        query = "SELECT number, recipient, subject, body, made_at FROM mails ORDER BY number"
        rows = self._found(query)
        return [
            Mail(number=row[0], recipient=row[1], subject=row[2], body=row[3], made_at=_moment(at))
            for *row, at in rows
        ]

    def drop_mail(self, number: int) -> None:
        """Forget a mail that was taken."""
        with self._opened() as opened:
            opened.execute("DELETE FROM mails WHERE number = ?", (number,))

    # --- the file -------------------------------------------------------------------------------

    def set_aside(self) -> OutboxSetAside | None:
        """Put a damaged outbox under another name; None where it is whole."""
        try:
            aside = set_aside(self.path)
        except OSError as error:
            raise OutboxUnusable(path=self.path, cause=error.strerror or error) from error
        return None if aside is None else OutboxSetAside(path=self.path, aside=aside)

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Keep other processes from telling the same people meanwhile; False where one does.

        The kernel gives the lock back however its holder dies.
        """
        folder = self.path.with_name("outbox.locks")
        try:
            make_private_folder(folder)
            lock = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except (OSError, FolderUnusable) as error:
            cause = getattr(error, "strerror", None) or error
            raise OutboxUnusable(path=folder, cause=cause) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(lock)

    def _found(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Return rows and change nothing; none where nobody was told anything yet."""
        try:
            if not self.path.exists():
                return []
        except OSError as error:  # a folder that this user may not enter
            raise OutboxUnusable(path=self.path, cause=error.strerror) from error
        with self._opened() as opened:
            return opened.execute(query, values).fetchall()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction; whatever is wrong with the file becomes OutboxUnusable."""
        try:
            make_private_folder(self.path.parent)
            self.path.touch(mode=0o600)
            with transaction(self.path, _STEPS) as opened:
                yield opened
        except (sqlite3.Error, OSError, ValueError, FolderUnusable) as error:
            kind = OutboxDamaged if is_damage(error) else OutboxUnusable
            raise kind(path=self.path, cause=getattr(error, "strerror", error)) from error


def _marks(values: Sequence[str]) -> str:
    """Return a question mark for each value."""
    return ", ".join("?" * len(values))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
