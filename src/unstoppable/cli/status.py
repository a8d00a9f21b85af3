"""`unstoppable status`."""

from dataclasses import dataclass
from functools import partial

import click

from unstoppable.cli import hints, output, records, sheet_state, status_all
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.settings import choose, read_all, usable
from unstoppable.cli.sheet_state import SheetState
from unstoppable.cli.undelivered import Undelivered, is_anybody_told, undelivered
from unstoppable.domain.health import last_stored
from unstoppable.domain.run import RunRecord
from unstoppable.domain.text import printable
from unstoppable.runner import lane
from unstoppable.runner.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    last_run: RunRecord | None
    last_stored: RunRecord | None
    is_running: bool
    holder: str | None
    """The run that holds the lane of the customer."""
    sheet: SheetState
    undelivered: list[Undelivered]


@click.command(cls=Speaking)
@resource_argument
@click.pass_obj
def status(session: Session, *, asked: str | None) -> int:
    """Show what happened last.

    This is what this machine says of itself; no other one confirms it yet. Where there are many
    customers, one sentence tells how all are, and those that need somebody are listed first.

    Example:
      unstoppable status
      unstoppable status acme/www

    Exit codes:
      0 shown, whatever it shows    1 failed, or of many one needs somebody    2 wrong usage
    """
    readings = read_all(session.env_file)
    if readings.customers is not None and asked is None:
        return status_all.show(session, readings)
    configuration = usable(choose(readings, asked))
    found = _look(configuration)
    if session.is_json:
        output.document(_document(configuration, found))
    else:
        for name, value in _lines(configuration, found):
            output.data(f"{name:<12} {value}")
    return 0


def _look(configuration: Configuration) -> _Status:
    settings, resource = configuration.settings, configuration.resource
    runs, holder = records.at_once(
        partial(Journal(settings.state).telling, resource),
        partial(lane.holder, lane.lane_file(settings.hot, resource)),
    )
    return _Status(
        last_run=next(iter(runs), None),
        last_stored=last_stored(runs),
        is_running=any(records.is_running(run, holder) for run in runs),
        holder=holder,
        sheet=sheet_state.look(configuration),
        undelivered=undelivered([configuration]),
    )


def _lines(configuration: Configuration, found: _Status) -> list[tuple[str, str]]:
    settings = configuration.settings
    return [
        ("resource", str(configuration.resource)),
        ("source", printable(str(settings.source or "not set"))),
        ("cold", printable(str(settings.cold))),
        ("last run", _last_run(found)),
        ("last stored", _last_stored(found.last_stored)),
        ("key sheet", hints.said(found.sheet.sentence)),
        ("watched", records.UNWATCHED),
        *_told(configuration, found),
    ]


def _told(configuration: Configuration, found: _Status) -> list[tuple[str, str]]:
    """Return whether others know what happened, where somebody is told at all."""
    if not is_anybody_told(configuration):
        return []
    if not found.undelivered:
        return [("told", "others, of every run")]
    names = ("undelivered", *[""] * len(found.undelivered))
    return [(name, one.sentence) for name, one in zip(names, found.undelivered, strict=False)]


def _last_run(found: _Status) -> str:
    record = found.last_run
    if record is None:
        return "none"
    word = records.outcome(record, holder=found.holder)
    text = f"{output.local(record.run.started_at)}  {word}"
    return f"{text}: {record.message}" if record.message else text


def _last_stored(record: RunRecord | None) -> str:
    if record is None:
        return "none"
    when, snapshot = output.local(record.run.started_at), (record.snapshot_id or "")[:8]
    return f"{when}  snapshot {snapshot} ({records.amount(record.counts)})"


def _document(configuration: Configuration, found: _Status) -> dict[str, object]:
    last_run, last_stored = found.last_run, found.last_stored
    return {
        "resource": str(configuration.resource),
        "source": configuration.settings.source,
        "cold": configuration.settings.cold,
        "is_running": found.is_running,
        "last_run": last_run and records.as_document(last_run),
        "last_stored": last_stored and records.as_document(last_stored),
        "is_sheet_confirmed": found.sheet.is_confirmed,
        "sheet_files": found.sheet.files,
        "is_watched": False,
        "undelivered": [one.document for one in found.undelivered],
    }
