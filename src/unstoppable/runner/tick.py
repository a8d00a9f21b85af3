"""What a look at the schedule leads to."""

from datetime import datetime

from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import EXIT_CODES, Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.domain.schedule import LOOKED_BACK, Due, Schedule, Span, due
from unstoppable.runner.journal import Journal
from unstoppable.runner.run import new_run, now


def what_is_due(
    journal: Journal, resource: ResourceName, schedule: Schedule, moment: datetime
) -> Due:
    """Return what is to be done at a moment about the slots that have no record.

    A resource that was never backed up is due at once. Raises JournalUnusable.
    """
    runs = journal.runs(resource, limit=1)
    if not runs:
        return Due(run=moment.replace(second=0, microsecond=0))
    last = journal.last_slot(resource, until=moment) or min(runs[0].run.started_at, moment)
    after = max(last, moment - LOOKED_BACK)
    at_work = [
        Span(started_at=record.run.started_at, ended_at=record.ended_at)
        for record in journal.at_work(resource, after=after)
        if record.ended_at is not None
    ]
    return due(schedule.slots(after=after, until=moment), at_work)


def record_skipped(journal: Journal, resource: ResourceName, found: Due) -> None:
    """Record the slots that nobody serves any more; raises JournalUnusable or FolderUnusable."""
    for slot in sorted(found.missed + found.overlapped):
        if not journal.has_slot(resource, slot):
            journal.write(_skipped(resource, slot, is_missed=slot in found.missed))


def _skipped(resource: ResourceName, slot: datetime, *, is_missed: bool) -> RunRecord:
    missed = f"missed: nothing looked at the schedule of {resource} at"
    overlapped = f"skipped: a run of {resource} was still at work at"
    return RunRecord(
        run=new_run(resource, slot),
        ended_at=now(),
        outcome=Outcome.SKIPPED,
        exit_code=EXIT_CODES[Outcome.SKIPPED],
        message=f"{missed if is_missed else overlapped} {slot:%Y-%m-%d %H:%M} UTC",
    )
