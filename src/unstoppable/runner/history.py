"""What the journal says of past runs."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import KEPT, Outcome
from unstoppable.domain.record_errors import RunUnknown
from unstoppable.domain.run import RunRecord

_Answer = TypeVar("_Answer")
CLOCK_STEP = timedelta(minutes=5)
"""By how much a clock may be put back without making what was recorded before look wrong."""
_EVER = datetime.max.replace(tzinfo=UTC)
_TELLING = (
    "TRUE",
    "outcome IS NOT 'skipped'",
    "outcome <> 'skipped'",
    f"outcome IN {tuple(map(str, KEPT))}",
)
SLOT = "json_extract(record, '$.slot')"


class History(Protocol):
    """Questions about runs, to whoever can read where they are on record."""

    def _read(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """Return an answer and change nothing; None where nothing is on record."""

    def going_on(self, customer: str) -> list[RunRecord]:
        """Return the customer's runs that have no outcome; raises JournalUnusable."""
        return self._select("customer = ? AND outcome IS NULL ORDER BY rowid", (customer,))

    def runs(
        self, resource: ResourceName, *, limit: int, before: str | None = None
    ) -> list[RunRecord]:
        """Return the last runs of a resource, newest first; those before a run, where one is named.

        Raises RunUnknown where that is none of the resource's, or JournalUnusable.
        """
        if before is None:
            return self._of(resource, "TRUE ORDER BY rowid DESC LIMIT ?", limit)
        if not self._of(resource, "run = ?", before):
            raise RunUnknown(run=before, resource=resource)
        condition = "rowid < (SELECT rowid FROM runs WHERE run = ?) ORDER BY rowid DESC LIMIT ?"
        return self._of(resource, condition, before, limit)

    def latest(self, resource: ResourceName, *, limit: int) -> list[RunRecord]:
        """Return the last runs of a resource, newest first, and the last that were not skipped.

        So many of either: beside a run that takes long any number may be skipped. Raises
        JournalUnusable.
        """
        last = " UNION ".join(
            f"SELECT * FROM (SELECT rowid FROM runs WHERE customer = ?1 AND resource = ?2 "  # noqa: S608 - our own words
            f"AND {condition} ORDER BY rowid DESC LIMIT ?3)"
            for condition in _TELLING[:2]
        )
        return self._select(f"rowid IN ({last}) ORDER BY rowid DESC", (*name_of(resource), limit))

    def telling(self, resource: ResourceName, *, until: datetime = _EVER) -> list[RunRecord]:
        """Return the runs that tell how a resource is, newest first; raises JournalUnusable.

        The newest of all, of those that were not skipped, of those of them that ended, and of
        those that left a backup, however many others came since; none that began after `until`.
        """
        newest = " UNION ".join(
            f"SELECT * FROM (SELECT rowid FROM runs WHERE customer = ?1 AND resource = ?2 "  # noqa: S608 - our own words
            f"AND started_at <= ?3 AND {condition} ORDER BY rowid DESC LIMIT 1)"
            for condition in _TELLING
        )
        values = (*name_of(resource), seconds_of(until))
        return self._select(f"rowid IN ({newest}) ORDER BY rowid DESC", values)

    def last_slot(self, resource: ResourceName, *, until: datetime) -> datetime | None:
        """Return the newest slot up to `until` that has a record; raises JournalUnusable.

        What a clock that was ahead left in the future must not end all backups until then.
        """
        found = self._of(
            resource,
            f"{SLOT} <= ? AND started_at <= ? ORDER BY {SLOT} DESC LIMIT 1",
            seconds_of(until),
            seconds_of(until + CLOCK_STEP),
        )
        return found[0].run.slot_at if found else None

    def last_start(self, resource: ResourceName, *, until: datetime) -> datetime | None:
        """Return when the newest run up to `until` began; raises JournalUnusable."""
        condition = "started_at <= ? ORDER BY started_at DESC LIMIT 1"
        found = self._of(resource, condition, seconds_of(until + CLOCK_STEP))
        return found[0].run.started_at if found else None

    def has_run_for(self, resource: ResourceName, slot_at: datetime, *, until: datetime) -> bool:
        """Return whether a run began for the slot, however it ended; raises JournalUnusable."""
        found = self._of(
            resource,
            f"{SLOT} = ? AND outcome IS NOT ? AND started_at <= ? LIMIT 1",
            seconds_of(slot_at),
            Outcome.SKIPPED,
            seconds_of(until + CLOCK_STEP),
        )
        return bool(found)

    def has_complete(self, resource: ResourceName) -> bool:
        """Return whether a run left a complete snapshot; raises JournalUnusable."""
        return bool(self._of(resource, "outcome IN (?, ?) LIMIT 1", *KEPT))

    def at_work(
        self, resource: ResourceName, *, after: datetime, until: datetime
    ) -> list[RunRecord]:
        """Return runs that had their lane and ended between two moments; raises JournalUnusable."""
        return self._of(
            resource,
            "outcome <> ? AND json_extract(record, '$.ended_at') BETWEEN ? AND ?",
            Outcome.SKIPPED,
            seconds_of(after),
            seconds_of(until),
        )

    def at_work_beside(
        self, resource: ResourceName, *, after: datetime, until: datetime
    ) -> list[RunRecord]:
        """Return the same of the customer's other resources; raises JournalUnusable."""
        condition = (
            "customer = ? AND resource <> ? AND outcome <> ? AND started_at <= ? "
            "AND json_extract(record, '$.ended_at') BETWEEN ? AND ?"
        )
        last = seconds_of(until)
        values = (*name_of(resource), Outcome.SKIPPED, last, seconds_of(after), last)
        return self._select(condition, values)

    def _of(self, resource: ResourceName, condition: str, *values: str | int) -> list[RunRecord]:
        return self._select(
            f"customer = ? AND resource = ? AND {condition}", (*name_of(resource), *values)
        )

    def _select(self, condition: str, values: tuple[str | int, ...]) -> list[RunRecord]:
        def question(opened: sqlite3.Connection) -> list[RunRecord]:
            query = f"SELECT record FROM runs WHERE {condition}"  # noqa: S608 - our own words
            return [parsed(text) for (text,) in opened.execute(query, values).fetchall()]

        return self._read(question) or []


class Garbled(ValueError):
    """A record that is none: SQLite does not notice what changes within a text."""


def parsed(text: str) -> RunRecord:
    """Return a record that is kept; raises Garbled where it is none."""
    try:
        return RunRecord.from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"a record is none: {error}"
        raise Garbled(cause) from error


def name_of(resource: ResourceName) -> tuple[str, str]:
    """Return a resource as the columns have it."""
    return resource.customer, resource.resource


def seconds_of(moment: datetime) -> int:
    """Return a moment as the columns have it."""
    return int(moment.timestamp())
