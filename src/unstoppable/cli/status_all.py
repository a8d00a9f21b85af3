"""`unstoppable status` of many customers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from unstoppable.cli import hints, output, records
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import PREFIX
from unstoppable.cli.settings import Readings
from unstoppable.cli.undelivered import undelivered
from unstoppable.domain.health import Health, health
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count, duration, printable, some
from unstoppable.runner.run import now

_NAMED = 3
_NEEDED = frozenset(PREFIX + name for name in ("STATE", "HOT", "SCHEDULE", "CUSTOMER", "RESOURCE"))
"""Without these nobody knows how a resource is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A resource, or a customer of whom none is known."""

    name: str
    need: str | None
    health: Health | None = None
    """None where it is not known."""
    is_running: bool = False
    holder: str | None = None
    """The run that holds the lane of the customer."""


def show(session: Session, found: Readings) -> int:
    """Tell how all are, those that need somebody first; returns 1 where one does."""
    moment = now()
    rows = sorted(_rows(found, moment), key=lambda row: (row.need is None, row.name))
    needy = [row for row in rows if row.need is not None]
    code = ExitCode.FAILED if needy else ExitCode.SUCCEEDED
    waiting = undelivered(reading.configuration for reading in found.all)
    if session.is_json:
        document = {
            "verdict": found.nobody or _verdict(rows, needy, moment),
            "resources": list(map(_document, rows)),
            "undelivered": [one.document for one in waiting],
        }
        output.document(document)
        return code
    output.data(found.nobody or _verdict(rows, needy, moment))
    columns = ("resource", "last run", "outcome", "last stored", "needs")
    output.table(columns, [_cells(row) for row in rows])
    for one in waiting:
        output.data(f"undelivered: {one.sentence}")
    return code


def _rows(found: Readings, moment: datetime) -> Iterator[_Row]:
    for customer, faults in found.broken.items():
        yield _Row(name=customer, need=str(faults[0]))
    for reading in found.all:
        configuration = reading.configuration
        name = str(configuration.resource)
        fault = str(reading.faults[0]) if reading.faults else None
        if reading.unknown & _NEEDED:
            yield _Row(name=name, need=fault)
            continue
        runs, holder = records.telling(configuration, moment)
        is_running = any(records.is_running(run, holder) for run in runs)
        known = health(runs, configuration.schedule, moment, is_running=is_running)
        need = fault or known.need
        yield _Row(name=name, need=need, health=known, is_running=is_running, holder=holder)


def _verdict(rows: list[_Row], needy: list[_Row], moment: datetime) -> str:
    if needy:
        named = some([row.name for row in needy], _NAMED)
        word = "needs" if len(needy) == 1 else "need"
        return f"{len(needy)} of {len(rows)} {word} you: {named}"
    starts = [
        row.health.last_stored.run.started_at
        for row in rows
        if row.health and row.health.last_stored
    ]
    oldest = duration(moment - min(starts))
    whole = f"{len(rows)} of {count(len(rows), 'last run')} stored, oldest {oldest} ago"
    return f"{whole}; verified by a reporter: never"


def _cells(row: _Row) -> tuple[str, ...]:
    last = row.health and row.health.last_run
    stored = row.health and row.health.last_stored
    nothing = "none" if row.health else "unknown"
    return (
        row.name,
        output.local(last.run.started_at) if last else nothing,
        records.outcome(last, holder=row.holder) if last else "",
        output.local(stored.run.started_at) if stored else nothing,
        printable(hints.named(row.need or "", row.name)),
    )


def _document(row: _Row) -> dict[str, object]:
    last = row.health and row.health.last_run
    stored = row.health and row.health.last_stored
    return {
        "resource": row.name,
        "needs": row.need,
        "is_running": row.is_running,
        "last_run": last and records.as_document(last),
        "last_stored": stored and records.as_document(stored),
    }
