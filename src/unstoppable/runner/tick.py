"""What a look at the schedule leads to."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from unstoppable.domain.errors import FolderUnusable, JournalUnusable, UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import EXIT_CODES, Outcome
from unstoppable.domain.record_errors import EmitterUnusable, JournalDamaged, JournalLost
from unstoppable.domain.run import Run, RunRecord, run_id
from unstoppable.domain.schedule import TICK, Due, Schedule, Span, due
from unstoppable.runner import machine
from unstoppable.runner.journal import Journal

_ID_DIGITS = 8
Holder = Callable[[ResourceName], str | None]
"""Tells the id of the run that holds a customer's lane; None where none does, or no id."""


def nobody(_resource: ResourceName) -> None:
    """Tell that no run holds the lane."""


@dataclass(frozen=True, slots=True)
class RunsKnown:
    """What is known of the runs of this machine: those on record, and who is at work."""

    journal: Journal
    holder: Holder = nobody


def look(
    known: RunsKnown,
    resource: ResourceName,
    schedule: Schedule,
    moment: datetime,
    foresee: Callable[[Due], Due] = lambda found: found,
) -> tuple[Due, list[UnstoppableError]]:
    """Return what is due, and what is wrong with the journal; record what nobody serves any more.

    A journal that is damaged is put aside: what was never backed up as far as the new one knows is
    due at once. Where none can be used, the slot of this very tick is due. `foresee` is told what
    is due before it is recorded, and may know better.
    """
    troubles: list[UnstoppableError] = []
    journal = known.journal
    try:
        try:
            found = what_is_due(known, resource, schedule, moment)
        except JournalDamaged:
            if aside := journal.set_aside():
                troubles.append(aside)
            found = what_is_due(known, resource, schedule, moment)
        found = foresee(found)
        lost = record_skipped(journal, resource, found, moment)
        if lost is not None and not troubles:
            troubles.append(lost)
    except EmitterUnusable as error:
        troubles.append(error)  # The skipped slots are recorded all the same.
    except (JournalUnusable, FolderUnusable) as error:
        return due_without_journal(schedule, moment), [*troubles, error]
    return found, troubles


def what_is_due(
    known: RunsKnown, resource: ResourceName, schedule: Schedule, moment: datetime
) -> Due:
    """Return what is to be done at a moment about the slots that have no record.

    A resource that was never backed up is due at once. Raises JournalUnusable.
    """
    journal = known.journal
    last = journal.last_slot(resource, until=moment) or journal.last_start(resource, until=moment)
    if last is None:
        return Due(run=moment.replace(second=0, microsecond=0))
    slots = schedule.since(last, until=moment)
    if not slots:
        return Due()
    own = journal.at_work(resource, after=slots[0], until=moment)
    others: list[RunRecord] = []
    now = _at_work_now(known, resource)
    if now is not None:
        span = replace(now, ended_at=moment)
        (own if now.run.resource == resource else others).append(span)
    found = due(slots, _spans(own))
    if not found.missed:
        return found
    others += journal.at_work_beside(resource, after=slots[0], until=moment)
    return due(slots, _spans(own), _spans(others))


def _at_work_now(known: RunsKnown, resource: ResourceName) -> RunRecord | None:
    """Return the run that holds the lane, where it is on record."""
    holder = known.holder(resource)
    if holder is None:
        return None
    going_on = known.journal.going_on(resource.customer)
    return next((record for record in going_on if record.run.id == holder), None)


def _spans(records: list[RunRecord]) -> list[Span]:
    return [
        Span(started_at=record.run.started_at, ended_at=record.ended_at)
        for record in records
        if record.ended_at is not None
    ]


def due_without_journal(schedule: Schedule, moment: datetime) -> Due:
    """Return the slot of this very tick: where nothing can be remembered, nothing is made up for.

    Else a journal on a full disk would mean a backup each minute, or none at all.
    """
    return Due(run=next(schedule.slots(after=moment - TICK, until=moment), None))


def record_skipped(
    journal: Journal, resource: ResourceName, found: Due, moment: datetime
) -> JournalLost | None:
    """Record the slots that nobody serves any more; returns and raises what `write` does."""
    missed = [_skipped(resource, slot, moment, _MISSED) for slot in found.missed]
    overlapped = [_skipped(resource, slot, moment, _OVERLAPPED) for slot in found.overlapped]
    waited = [_skipped(resource, slot, moment, _WAITED) for slot in found.waited]
    crowded = [_skipped(resource, slot, moment, _CROWDED) for slot in found.crowded]
    if not (missed or overlapped or waited or crowded):
        return None
    return journal.write(*missed, *overlapped, *waited, *crowded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A run that ended and did not say how."""

    resource: ResourceName
    slot: datetime
    pid: int | None
    """Its process, where there was one."""
    why: str


def record_failed(journal: Journal, death: Death, moment: datetime) -> JournalLost | None:
    """Record a run that ended before it could record how; returns and raises as `write`.

    Where it is on record that it ended, or another run for the slot is, nothing is changed.
    """
    resource = death.resource
    for record in journal.going_on(resource.customer):
        if record.run.pid == death.pid and record.run.slot_at == death.slot:
            told = f"the run of {resource} ended and did not say how: {death.why}"
            return journal.write(
                replace(
                    record,
                    ended_at=moment,
                    outcome=Outcome.FAILED,
                    exit_code=EXIT_CODES[Outcome.FAILED],
                    message=told,
                )
            )
    if journal.has_run_for(resource, death.slot, until=moment):
        return None
    told = f"the run of {resource} ended before it began: {death.why}"
    return journal.write(_record(resource, death.slot, moment, Outcome.FAILED, told))


_MISSED = "missed: nothing looked at the schedule of {resource} at {slot:%Y-%m-%d %H:%M} UTC"
_OVERLAPPED = "skipped: a run of {resource} was still at work at {slot:%Y-%m-%d %H:%M} UTC"
_WAITED = (
    "skipped: others were at work from {slot:%Y-%m-%d %H:%M} UTC until {resource} was due again"
)
_CROWDED = (
    "skipped: {resource} does not wait for others, who were at work at {slot:%Y-%m-%d %H:%M} UTC"
)


def _skipped(resource: ResourceName, slot: datetime, moment: datetime, form: str) -> RunRecord:
    told = form.format(resource=resource, slot=slot)
    return _record(resource, slot, moment, Outcome.SKIPPED, told)


def _record(
    resource: ResourceName, slot: datetime, moment: datetime, outcome: Outcome, message: str
) -> RunRecord:
    # The same slot has the same id: told twice it is still one record.
    digest = hashlib.sha256(f"{resource} {slot.isoformat()}".encode()).hexdigest()
    run = Run(
        id=run_id(slot, digest[:_ID_DIGITS]),
        resource=resource,
        slot_at=slot,
        started_at=moment,
        pid=0,
        host=machine.host(),
        program_version=machine.program_version(),
    )
    return RunRecord(
        run=run,
        ended_at=moment,
        outcome=outcome,
        exit_code=EXIT_CODES[outcome],
        message=message,
    )
