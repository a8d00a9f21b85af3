"""A planner with a journal on disk, and runs that end when the test says so."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from unstoppable.domain.errors import Killed, UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.schedule import Schedule
from unstoppable.runner.journal import Journal
from unstoppable.runner.planner import Planner
from unstoppable.runner.tick import RunsKnown

HOURLY = Schedule.parse("0 * * * *")
HALF_PAST = Schedule.parse("30 * * * *")
START = datetime(2026, 11, 24, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def named(text: str) -> ResourceName:
    return ResourceName.parse(text)


@dataclass
class Running:
    """A run that ends when the test says so."""

    site: "Site"
    run: Run
    code: int | None = None
    last_words: str = ""
    pid: int | None = 1

    def poll(self) -> int | None:
        return self.code

    def end(self, moment: datetime) -> None:
        self.code = 0
        record = RunRecord(run=self.run, ended_at=moment, outcome=Outcome.SUCCEEDED, exit_code=0)
        self.site.journal.write(record)


@dataclass
class Site:
    """A planner whose runs record that they began, as those of the program do."""

    journal: Journal
    most_at_once: int = 8
    started: list[tuple[str, datetime]] = field(default_factory=list)
    running: dict[str, Running] = field(default_factory=dict)
    complaints: list[UnstoppableError] = field(default_factory=list)
    moment: datetime = START
    records: bool = True
    held: dict[str, Run] = field(default_factory=dict)
    """Runs of other processes, by the customers whose lanes they hold."""

    def __post_init__(self) -> None:
        self.planner = Planner(
            RunsKnown(self.journal, self._holder),
            self._start,
            most_at_once=self.most_at_once,
            complain=self.complaints.append,
        )

    def _start(self, resource: ResourceName, slot: datetime) -> Running:
        if resource.customer == "broken":
            raise Killed(pid=1)
        self.started.append((str(resource), slot))
        identity = f"{resource} {slot} {len(self.started)}"
        run = Run(id=identity, resource=resource, slot_at=slot, started_at=self.moment, pid=1)
        if self.records:
            self.journal.write(RunRecord(run=run))
        self.running[str(resource)] = Running(self, run)
        return self.running[str(resource)]

    def _holder(self, resource: ResourceName) -> str | None:
        run = self.held.get(resource.customer)
        return None if run is None else run.id

    def hold(self, resource: str, slot: datetime | None = None) -> None:
        """Have another process make a backup."""
        name = named(resource)
        run = Run(
            id=f"theirs {self.moment}", resource=name, slot_at=slot, started_at=self.moment, pid=2
        )
        self.journal.write(RunRecord(run=run))
        self.held[name.customer] = run

    def leave(self, customer: str) -> None:
        """Have that one end."""
        ended = RunRecord(
            run=self.held.pop(customer),
            ended_at=self.moment,
            outcome=Outcome.SUCCEEDED,
            exit_code=0,
        )
        self.journal.write(ended)
        self.moment += timedelta(seconds=1)
        self.planner.step(self.moment)
        self.planner.step(self.moment)

    def plan(self, **schedules: Schedule) -> None:
        found = {named(name.replace("_", "/")): schedule for name, schedule in schedules.items()}
        for resource in found:
            self._was_backed_up(resource)
        self.planner.plan(found, self.moment)

    def _was_backed_up(self, resource: ResourceName) -> None:
        slot = self.moment
        run = Run(id=f"{resource}", resource=resource, slot_at=slot, started_at=slot, pid=1)
        self.journal.write(
            RunRecord(run=run, ended_at=slot, outcome=Outcome.SUCCEEDED, exit_code=0)
        )

    def until(self, hours: float) -> None:
        """Let the minutes pass."""
        while self.moment < at(hours):
            self.moment += timedelta(minutes=1)
            self.planner.step(self.moment)

    def end(self, resource: str) -> None:
        self.running.pop(resource).end(self.moment)
        self.planner.step(self.moment)

    def told(self, resource: str) -> list[tuple[datetime | None, str | None, str | None]]:
        """Return what is recorded, oldest slot first."""
        found = self.journal.runs(named(resource), limit=99)
        told = [(record.run.slot_at, record.outcome, record.message) for record in found]
        return sorted(told[:-1], key=lambda one: one[0] or START)
