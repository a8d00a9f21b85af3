"""How much planning many customers takes, and how soon their runs begin.

usage: python -m bench.planner [--minutes N] [--customers N] [--runs N] [--workdir DIR]

Planning: a simulated clock, a journal on disk, and runs that end as soon as they are looked at;
what they write into the journal themselves is not counted.
Runs: real ones of the installed program, of sources of one file, three a second.
The exit status is 1 when a bar is missed; the journal's disk should be fast, see --workdir.
"""

import argparse
import math
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measure import HERE, TOLERANCE, UNSTOPPABLE, Command, measure
from tests.repositories import make_repository
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.pins import write_pins
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.schedule import Schedule
from unstoppable.runner import lane
from unstoppable.runner.child import Child, Order, Provided
from unstoppable.runner.journal import Journal
from unstoppable.runner.planner import Planner
from unstoppable.runner.tick import RunsKnown
from unstoppable.runner.watchdog import PATIENCE

RESOURCES = 5
START = datetime(2026, 11, 24, tzinfo=UTC)
STEP = timedelta(seconds=0.25)
MINUTE = timedelta(minutes=1)
PER_SECOND = 3
MOST_AT_ONCE = 8
PLANNING_MB, PLANNING_SHARE, DELAY_SECONDS, OVERHEAD_SECONDS = 150, 0.10, 2.0, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The most that something may be."""

    name: str
    measured: float
    most: float
    tolerance: float = TOLERANCE

    @property
    def is_missed(self) -> bool:
        """Whether it is more than that."""
        return self.measured > self.most * self.tolerance

    def row(self) -> str:
        """Return its row of the table."""
        verdict = "MISS" if self.is_missed else "PASS"
        return f"| {self.name} | {self.measured:.3g} | {verdict} |"


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def names(customers: int) -> Iterator[ResourceName]:
    for customer in range(customers):
        for number in range(RESOURCES):
            yield ResourceName(customer=f"c{customer}", resource=f"r{number}")


# --- planning -----------------------------------------------------------------------------------


class Ended:
    """A run that is over."""

    last_words, pid = "", None

    def poll(self) -> int:
        """Return that it succeeded."""
        return 0


@dataclass
class Simulated:
    """Runs that take no time, and what they take of the processor to be recorded."""

    journal: Journal
    moment: datetime = START
    cpu_seconds: float = 0
    last: dict[ResourceName, datetime] = field(default_factory=dict)
    """The slot of each that was served last."""
    wrong: int = 0
    """Slots that were lost, or served twice."""

    def start(self, name: ResourceName, slot: datetime) -> Ended:
        """Record a run, and see whether its slot follows the last one."""
        began = cpu_seconds()
        run = Run(
            id=f"{name} {slot:%d %H:%M}",
            resource=name,
            slot_at=slot,
            started_at=self.moment.replace(microsecond=0),
            pid=1,
        )
        record = RunRecord(run=run, ended_at=run.started_at, outcome=Outcome.SUCCEEDED)
        self.journal.write(record)
        self.wrong += name in self.last and slot != self.last[name] + MINUTE
        self.last[name] = slot
        self.cpu_seconds += cpu_seconds() - began
        return Ended()


def plan(folder: Path, customers: int, minutes: int) -> list[Bar]:
    """Let so many minutes pass."""
    hot, journal = folder / "hot", Journal(folder / "state")
    simulated = Simulated(journal)
    known = RunsKnown(journal, lambda name: lane.known_holder(hot, name, tries=1))
    complaints: list[Exception] = []
    planner = Planner(known, simulated.start, most_at_once=99, complain=complaints.append)
    all_of_them = list(names(customers))
    began = cpu_seconds()
    planner.plan(dict.fromkeys(all_of_them, Schedule.parse("* * * * *")), START)
    end = START + minutes * MINUTE
    while simulated.moment < end:
        planner.step(simulated.moment.replace(microsecond=0))
        simulated.moment += STEP
        if simulated.moment.second == 0 and simulated.moment.microsecond == 0:
            print(f"{simulated.moment:%H:%M}", file=sys.stderr, flush=True)
    taken = cpu_seconds() - began - simulated.cpu_seconds
    last_slots = {end - MINUTE}
    wrong = simulated.wrong + len(complaints)
    wrong += sum(simulated.last.get(name) not in last_slots for name in all_of_them)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    what = f"{customers:,} customers × {RESOURCES} resources each minute"
    return [
        Bar(name=f"{what}, MB ≤ {PLANNING_MB}", measured=peak_mb, most=PLANNING_MB),
        Bar(name=f"{what}, slots lost or doubled = 0", measured=wrong, most=0),
        Bar(
            name=f"{what}, share of a core ≤ {PLANNING_SHARE}",
            measured=taken / (minutes * MINUTE.total_seconds()),
            most=PLANNING_SHARE,
        ),
    ]


# --- runs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Once(Schedule):
    """Due at one moment, of seconds and not of minutes."""

    at: datetime = START

    def slots(self, *, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield that moment where it lies between the two."""
        if after < self.at <= until:
            yield self.at


class Site:
    """Customers whose resources are one file each, and who were backed up once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hot, self.state = folder, folder / "hot", folder / "state"
        self.cold, self.etc = folder / "cold", folder / "etc"
        (self.etc / "customers").mkdir(parents=True, mode=0o700)
        places = {"HOT": self.hot, "COLD": self.cold, "STATE": self.state}
        env_file = self.etc / ".env"
        env_file.write_text("".join(f"UNSTOPPABLE_{n}={place}\n" for n, place in places.items()))
        env_file.chmod(0o600)

    def add(self, customer: str, resources: list[str]) -> None:
        """Make a customer, and the repositories."""
        pins, tables = {}, []
        for number in resources:
            source = self.folder / "data" / customer / number
            source.mkdir(parents=True)
            (source / "file").write_text("text\n")
            key_file = self.etc / f"{customer}-{number}.key"
            name = ResourceName(customer=customer, resource=number)
            root = secrets.token_bytes(32)
            pins[name] = make_repository(name, root, key_file, cold=self.cold, hot=self.hot)
            tables.append(
                f'[resources.{number}]\nsource = "{source}"\nrepository_key = "file:{key_file}"\n'
            )
        (self.etc / f"customers/{customer}.toml").write_text("".join(tables))
        path = self.etc / f"customers/{customer}.pins.json"
        path.write_text(write_pins(pins))
        path.chmod(0o600)

    def provide(self, name: ResourceName) -> Provided:
        """Return what its process is handed over."""
        key_file = self.etc / f"{name.customer}-{name.resource}.key"
        return Provided(secrets={"UNSTOPPABLE_REPOSITORY_KEY": key_file.read_text()})

    def start(self, name: ResourceName, slot: datetime) -> Child:
        """Start a run as the daemon does."""
        argv = (UNSTOPPABLE, "--env-file", str(self.etc / ".env"), "backup", str(name))
        return Child(
            Order(
                resource=name,
                argv=(*argv, "--slot", slot.isoformat(), "--confined"),
                environment={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
                provide=lambda: self.provide(name),
                tell=lambda _line: None,
                say=lambda line: print(line, file=sys.stderr),
                patience=PATIENCE,
            )
        )


def run(site: Site, all_of_them: list[ResourceName]) -> list[Bar]:
    """Make a backup of each, three a second, and look when each began."""
    journal, before = Journal(site.state), datetime.now(UTC) - timedelta(hours=1)
    for name in all_of_them:  # what was never backed up would be due at once
        ready = Run(id=f"{name}", resource=name, slot_at=before, started_at=before, pid=1)
        journal.write(RunRecord(run=ready, ended_at=before, outcome=Outcome.SUCCEEDED))
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    # A customer's resources one after the other, so that none waits for its lane.
    in_turn = sorted(all_of_them, key=lambda name: (name.resource, name.customer))
    slots = {
        name: first + timedelta(seconds=number // PER_SECOND) for number, name in enumerate(in_turn)
    }
    planner = Planner(
        RunsKnown(journal, lambda name: lane.known_holder(site.hot, name, tries=1)),
        site.start,
        most_at_once=MOST_AT_ONCE,
        complain=lambda error: print(error, file=sys.stderr),
    )
    planner.plan({name: Once("", at=slot) for name, slot in slots.items()}, datetime.now(UTC))
    until = max(slots.values()) + timedelta(seconds=1)
    while datetime.now(UTC) < until or not planner.is_idle:
        planner.step(datetime.now(UTC).replace(microsecond=0))
        time.sleep(STEP.total_seconds())
    delays = sorted(_delay(journal, name, slot) for name, slot in slots.items())
    p99 = delays[math.ceil(len(delays) * 0.99) - 1]
    what = f"{len(slots)} runs, {PER_SECOND} a second"
    delay = f"{what}, start delay p99 ≤ {DELAY_SECONDS} s (median {statistics.median(delays):.2f})"
    failed = len(planner.exit_codes - {0})
    return [
        Bar(name=f"{what}, kinds of failures = 0", measured=failed, most=0),
        Bar(name=delay, measured=p99, most=DELAY_SECONDS),
    ]


def _delay(journal: Journal, name: ResourceName, slot: datetime) -> float:
    """Return how many seconds after its slot a run began, by the microseconds in its id."""
    found = [one for one in journal.runs(name, limit=9) if one.run.slot_at == slot]
    if not found or found[0].outcome is not Outcome.SUCCEEDED:
        return math.inf
    began = datetime.strptime(found[0].run.id[:22], "%Y%m%d-%H%M%S-%f").replace(tzinfo=UTC)
    return (began - slot).total_seconds()


def overhead(site: Site, name: ResourceName, rounds: int) -> Bar:
    """Compare the processor time of a run with that of the engine's call alone."""
    places = {"home": site.folder}
    argv = (UNSTOPPABLE, "--env-file", str(site.etc / ".env"), "backup", str(name))
    repository = site.folder / "alone"
    call = (sys.executable, str(HERE / "engine_call.py"))
    source = site.folder / "data" / name.customer / name.resource
    subprocess.run((*call, "create", repository), check=True, stdout=subprocess.DEVNULL)
    whole, alone = [], []
    for _ in range(rounds):
        whole.append(measure(Command(argv=argv, environment={}), places).cpu)
        back_up = (*call, "backup", str(repository), str(source))
        alone.append(measure(Command(argv=back_up, environment={}), places).cpu)
    taken = statistics.median(whole) - statistics.median(alone)
    name_of_bar = f"a run around the engine's call, CPU s ≤ {OVERHEAD_SECONDS}"
    return Bar(name=name_of_bar, measured=taken, most=OVERHEAD_SECONDS)


def arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description="Plan many customers, and run some.")
    made.add_argument("--customers", type=int, default=1000, help="that are planned")
    made.add_argument("--minutes", type=int, default=3, help="that are simulated")
    made.add_argument("--runs", type=int, default=100, help="customers that are backed up")
    made.add_argument("--rounds", type=int, default=15, help="of the overhead")
    made.add_argument("--workdir", type=Path, help="where all lies; default: a new folder")
    return made.parse_args()


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="unstoppable-bench-", dir=options.workdir) as folder:
        bars = plan(Path(folder, "plan"), options.customers, options.minutes)
        site = Site(Path(folder, "site"))
        all_of_them = list(names(options.runs))
        for number in range(options.runs):
            site.add(f"c{number}", [f"r{count}" for count in range(RESOURCES)])
        bars.append(overhead(site, all_of_them[0], options.rounds))
        bars += run(site, all_of_them)
    print("| bar | measured | |", "|---|---:|---|", *(bar.row() for bar in bars), sep="\n")
    return int(any(bar.is_missed for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
