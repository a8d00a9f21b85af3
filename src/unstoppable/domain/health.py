"""Whether a resource needs somebody, by what is recorded of it and when it was due."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from unstoppable.domain.outcome import KEPT, Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.domain.schedule import Schedule

MOST_AHEAD = timedelta(hours=1)
"""What began by more than that later than now is of a clock that was ahead."""
_LOOKED_BACK = (
    timedelta(minutes=10),
    timedelta(hours=3),
    timedelta(days=2),
    timedelta(days=62),
    timedelta(days=800),
)
"""Enough for two slots of a schedule that comes every few minutes, is hourly, daily, monthly or
yearly; not more than is needed, for to list slots takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of a resource."""

    last_run: RunRecord | None
    """The newest that ended, or that is going on."""
    last_stored: RunRecord | None
    need: str | None
    """Why somebody should look; None where nobody need."""


def health(
    runs: Sequence[RunRecord], schedule: Schedule, moment: datetime, *, is_running: bool = True
) -> Health:
    """Return how a resource is, by its runs, newest first; those that tell suffice.

    A run without an outcome while nothing runs was killed.
    """
    runs = [run for run in runs if run.run.started_at <= moment + MOST_AHEAD]
    begun = [run for run in runs if run.outcome is not Outcome.SKIPPED]
    ended = [run for run in begun if run.outcome is not None]
    stored = last_stored(runs)
    return Health(
        last_run=next(iter(runs), None),
        last_stored=stored,
        need=(
            "the last run was killed"
            if begun and begun[0].outcome is None and not is_running
            else _need(next(iter(ended), None), stored, schedule, moment)
        ),
    )


def last_stored(runs: Iterable[RunRecord]) -> RunRecord | None:
    """Return the first of `runs`, newest first, that left a backup."""
    return next((run for run in runs if run.outcome in KEPT), None)


def _need(
    last: RunRecord | None, stored: RunRecord | None, schedule: Schedule, moment: datetime
) -> str | None:
    if last is not None and last.outcome is not Outcome.SUCCEEDED:
        return f"the last run {last.outcome}: {last.message or 'see `unstoppable runs`'}"
    if stored is None:
        return "it was never backed up"
    slots = _last_slots(schedule, moment)
    if slots is not None and stored.run.started_at < slots[0]:
        return f"nothing was stored since it was due at {slots[0]:%Y-%m-%d %H:%M} UTC"
    return None


def _last_slots(schedule: Schedule, moment: datetime) -> tuple[datetime, datetime] | None:
    """Return the last two slots; the later one may still be going on."""
    for back in _LOOKED_BACK:
        found = list(pairwise(schedule.slots(after=moment - back, until=moment)))
        if found:
            return found[-1]
    return None
