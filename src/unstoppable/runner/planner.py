"""Who is backed up next: customers beside each other, one customer's resources one by one."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Generic, Protocol, TypeVar

from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.record_errors import JournalLost
from unstoppable.domain.schedule import TICK, Due, Schedule
from unstoppable.runner.tick import Death, RunsKnown, look, record_failed, record_skipped

_LOOKED_AHEAD = timedelta(days=366 * 5)
_TOLD_OTHERWISE = (ExitCode.SUCCEEDED, ExitCode.SKIPPED, ExitCode.CANCELLED)
"""How runs end that are on record, or need not be."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class Running(Protocol):
    """A run that somebody started."""

    last_words: str
    """What it complained about last."""

    @property
    def pid(self) -> int | None:
        """Its process, once there is one."""

    def poll(self) -> int | None:
        """Return its exit code once it has ended."""


_Run = TypeVar("_Run", bound=Running)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane(Generic[_Run]):
    """What runs of a customer."""

    resource: ResourceName
    slot: datetime
    running: _Run


class Planner(Generic[_Run]):
    """Starts runs when they are due, as long as somebody calls `step`.

    Its memory is the journal's: another one, or the same one after a crash, goes on as it would.
    The lane of a customer, which each run takes itself, decides; here it is only foreseen, so that
    a slot whose turn has not come yet waits, and is told as skipped when the next one of its
    resource comes. `RunsKnown.holder` tells whether others, whoever started them, have it.
    """

    def __init__(
        self,
        known: RunsKnown,
        start: Callable[[ResourceName, datetime], _Run],
        *,
        most_at_once: int,
        complain: Callable[[UnstoppableError], None],
    ) -> None:
        self._known, self._start, self._complain = known, start, complain
        self.most_at_once = most_at_once
        self._schedules: Mapping[ResourceName, Schedule] = {}
        self._impatient: Collection[ResourceName] = frozenset()
        self._looks: list[tuple[datetime, ResourceName]] = []
        """When somebody has to look at what, the next look first; some are out of date."""
        self._look_at: dict[ResourceName, datetime] = {}
        """When that is, for each."""
        self._waiting: dict[str, dict[ResourceName, datetime]] = defaultdict(dict)
        """Slots that are due, by customer."""
        self._lanes: dict[str, _Lane[_Run]] = {}
        self._taken: dict[str, datetime] = {}
        """Customers whose lane somebody else has, and when that was asked last."""
        self._last: datetime | None = None
        self.exit_codes: set[int] = set()
        """Those of the runs that ended, each once: a daemon sees millions of them."""

    def plan(
        self,
        schedules: Mapping[ResourceName, Schedule],
        moment: datetime,
        impatient: Collection[ResourceName] = frozenset(),
    ) -> None:
        """From now on plan these; what runs goes on, and what waits and is not there is left.

        A slot of those that are impatient does not wait for other resources of its customer.
        """
        self._schedules, self._impatient = schedules, impatient
        for slots in self._waiting.values():
            for resource in slots.keys() - schedules.keys():
                del slots[resource]
        self._look_at_all(moment)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, and nothing waits but for others to leave its lane."""
        waiting = {customer for customer, slots in self._waiting.items() if slots}
        return not self._lanes and waiting <= self._taken.keys()

    def running(self) -> list[_Run]:
        """Return the runs that were not seen to end."""
        return [lane.running for lane in self._lanes.values()]

    def reap(self, moment: datetime) -> None:
        """See what ended, and start nothing; one that did not say how it ended is recorded."""
        for customer, lane in list(self._lanes.items()):
            code = lane.running.poll()
            if code is None:
                continue
            del self._lanes[customer]
            self.exit_codes.add(code)
            if code not in _TOLD_OTHERWISE:
                self._record_death(lane, moment, code)
            # It may not have had the lane, or died before it could say anything.
            self._look_later(lane.resource, moment + TICK)

    def step(self, moment: datetime) -> None:
        """See what ended, look at what may be due, and start what may start."""
        if self._last is not None and moment < self._last - TICK:
            # The clock was put back: slots that are said to come may have to come earlier.
            self._look_at_all(moment)
            for slots in self._waiting.values():
                for resource in [one for one, slot in slots.items() if slot > moment]:
                    del slots[resource]
        self._last = moment
        self.reap(moment)
        while self._looks and self._looks[0][0] <= moment:
            at, resource = heapq.heappop(self._looks)
            if self._look_at.get(resource) == at:
                del self._look_at[resource]
                self._look(resource, moment)
        self._start_waiting(moment)

    def _look_at_all(self, moment: datetime) -> None:
        self._looks = [(moment, resource) for resource in sorted(self._schedules)]
        self._look_at = dict.fromkeys(self._schedules, moment)

    def _look_later(self, resource: ResourceName, at: datetime) -> None:
        if resource in self._schedules and at < self._look_at.get(resource, _NEVER):
            self._look_at[resource] = at
            heapq.heappush(self._looks, (at, resource))

    def _record_death(self, lane: _Lane[_Run], moment: datetime, code: int) -> None:
        """Record a run that failed and did not say so itself: it will not be made again."""
        death = Death(
            resource=lane.resource,
            slot=lane.slot,
            pid=lane.running.pid,
            why=lane.running.last_words or f"its exit code is {code}",
        )
        self._keep(lambda: record_failed(self._known.journal, death, moment))

    def _keep(self, write: Callable[[], JournalLost | None]) -> None:
        """Write into the journal, and complain of what is wrong with it."""
        try:
            lost = write()
        except UnstoppableError as error:
            self._complain(error)
        else:
            if lost is not None:
                self._complain(lost)

    def _look(self, resource: ResourceName, moment: datetime) -> None:
        schedule = self._schedules[resource]
        slots = self._waiting[resource.customer]
        found, troubles = look(
            self._known, resource, schedule, moment, lambda due: self._foreseen(resource, due)
        )
        for trouble in troubles:
            self._complain(trouble)
        if found.run is not None:
            slots[resource] = found.run
        coming = next(schedule.slots(after=moment, until=moment + _LOOKED_AHEAD), None)
        if coming is not None:
            self._look_later(resource, coming)

    def _foreseen(self, resource: ResourceName, found: Due) -> Due:
        """Return what is due where a run of the resource is known to be at work, or to wait."""
        lane = self._lanes.get(resource.customer)
        if lane is not None and lane.resource == resource:
            slots = [found.run] if found.run and self._is_slot(resource, found.run) else []
            overlapped = (*found.overlapped, *slots)
            missed = tuple(slot for slot in found.missed if slot != lane.slot)
            overlapped = tuple(slot for slot in overlapped if slot != lane.slot)
            return replace(found, run=None, overlapped=overlapped, missed=missed)
        slot = self._waiting[resource.customer].get(resource)
        waited = tuple(missed for missed in found.missed if missed == slot)
        missed = tuple(missed for missed in found.missed if missed != slot)
        return replace(found, missed=missed, waited=(*found.waited, *waited))

    def _is_slot(self, resource: ResourceName, slot: datetime) -> bool:
        """Return whether it is one: what was never backed up is due at any moment."""
        return slot in self._schedules[resource].slots(after=slot - TICK, until=slot)

    def _skip_crowded(self, moment: datetime) -> None:
        """Record what does not wait for others of its customer, and finds them at work."""
        taken = [customer for customer, at in self._taken.items() if at == moment]
        for customer in (*self._lanes, *taken) if self._impatient else ():
            slots = self._waiting[customer]
            crowded = [(one, slot) for one, slot in slots.items() if one in self._impatient]
            for resource, slot in crowded:
                if self._is_slot(resource, slot):
                    del slots[resource]
                    found = Due(crowded=(slot,))
                    self._keep(
                        partial(record_skipped, self._known.journal, resource, found, moment)
                    )

    def _start_waiting(self, moment: datetime) -> None:
        free = [c for c, slots in self._waiting.items() if slots and c not in self._lanes]
        first = sorted((min((slot, r) for r, slot in self._waiting[c].items())) for c in free)
        for slot, resource in first:
            if len(self._lanes) >= self.most_at_once:
                break
            if not self._is_taken(resource, moment):
                self._start_now(resource, slot, moment)
        self._skip_crowded(moment)

    def _start_now(self, resource: ResourceName, slot: datetime, moment: datetime) -> None:
        del self._waiting[resource.customer][resource]
        try:
            running = self._start(resource, slot)
        except UnstoppableError as error:
            self._complain(error)
            self._look_later(resource, moment + TICK)
            return
        self._lanes[resource.customer] = _Lane(resource=resource, slot=slot, running=running)

    def _is_taken(self, resource: ResourceName, moment: datetime) -> bool:
        """Return whether others have the lane; asked once for each moment.

        What they served meanwhile is no longer due when they leave it.
        """
        customer = resource.customer
        asked_at = self._taken.get(customer)
        if asked_at == moment:
            return True
        if self._known.holder(resource) is not None:
            self._taken[customer] = moment
            return True
        if asked_at is None:
            return False
        del self._taken[customer]
        for one in list(self._waiting[customer]):
            del self._waiting[customer][one]
            self._look(one, moment)
        return True  # who is first may be another one by now
