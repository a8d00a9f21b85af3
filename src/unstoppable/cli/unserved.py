"""Slots of resources that cannot be backed up because their settings cannot be used.

They are recorded as failed when they come: a customer whose file is broken is else missing from
everything that is told of runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from unstoppable.cli.configuration import PREFIX
from unstoppable.cli.settings import Readings
from unstoppable.cli.settings_reader import Reading
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.schedule import Schedule
from unstoppable.runner import remembered
from unstoppable.runner.run import now
from unstoppable.runner.tick import Death, RunsKnown, look, record_failed

_NEEDED = frozenset(PREFIX + name for name in ("STATE", "SCHEDULE", "CUSTOMER", "RESOURCE"))
"""Without these nobody knows what was due, or where it is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """Who is due and cannot be backed up."""

    schedules: Mapping[ResourceName, Schedule] = field(default_factory=dict)
    faults: Mapping[ResourceName, UnstoppableError] = field(default_factory=dict)
    """Why, the first of each one's faults."""


@dataclass(slots=True, kw_only=True)
class NotBegun:
    """A run that ended before it began."""

    last_words: str
    """Why it did not begin."""
    exit_code: int
    pid: None = None

    def poll(self) -> int:
        """Return its exit code."""
        return self.exit_code

    def stop(self) -> None:
        """Do nothing: it has ended."""

    def kill(self) -> None:
        """Do nothing: it has ended."""


def of(found: Readings) -> Unserved:
    """Return who cannot be backed up, of whom it is known, or was known last, when they are due.

    What is known now is remembered. Raises FolderUnusable.
    """
    if found.common.unknown & {PREFIX + "STATE"} or found.nobody:
        # Where nobody is, their folder may be about to be filled: who was known stays so.
        return Unserved()
    state = found.common.configuration.settings.state
    before = remembered.read(state)
    schedules = {r: line for r, line in before.items() if r.customer in found.broken}
    faults = {r: found.broken[r.customer][0] for r in schedules}
    for reading in found.all:
        resource = reading.configuration.resource
        if reading.faults:
            faults[resource] = reading.faults[0]
        if not reading.unknown & _NEEDED:
            schedules[resource] = reading.configuration.schedule
        elif resource in before:
            schedules[resource] = before[resource]
    if schedules != before:
        remembered.keep(state, schedules)
    return Unserved(schedules={r: schedules[r] for r in faults if r in schedules}, faults=faults)


def record(reading: Reading, known: RunsKnown) -> list[UnstoppableError]:
    """Record the slot that is due of a resource whose settings cannot be used.

    One that finds a run at work, which began while they could be, is skipped as ever.
    Returns what is wrong with the journal. Nothing is recorded where the fault hides what is due.
    """
    if not reading.faults or reading.unknown & _NEEDED:
        return []
    configuration, moment = reading.configuration, now()
    resource = configuration.resource
    found, troubles = look(known, resource, configuration.schedule, moment)
    try:
        if found.run is not None:
            death = Death(resource=resource, slot=found.run, pid=None, why=str(reading.faults[0]))
            if lost := record_failed(known.journal, death, moment):
                troubles.append(lost)
    except UnstoppableError as error:
        return [*troubles, error]
    return troubles
