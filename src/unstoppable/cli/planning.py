"""Running what is due of many customers, as long as somebody wants it."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from unstoppable.cli import output, unserved
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import OF_SENDER, PREFIX, Configuration
from unstoppable.cli.sender import Sender
from unstoppable.cli.settings import Readings, choose, read_one, usable
from unstoppable.cli.settings_reader import HANDED_OVER_NAMES, SettingsReader
from unstoppable.cli.settings_values import SKIP
from unstoppable.cli.unserved import NotBegun, Unserved
from unstoppable.domain.customer_errors import CustomersGone, CustomersLeft, PlaceMoved
from unstoppable.domain.errors import (
    EnvFileMissing,
    JournalUnusable,
    UnstoppableError,
    UsageError,
)
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.schedule import Schedule
from unstoppable.engine import Cancel
from unstoppable.runner import lane, watchdog
from unstoppable.runner.child import Child, Order, Provided
from unstoppable.runner.journal import Journal
from unstoppable.runner.planner import Planner
from unstoppable.runner.run import now
from unstoppable.runner.tick import RunsKnown

_LOOK_SECONDS = 0.25
"""How often somebody looks whether a run has ended."""
_KEPT = frozenset(
    {"HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "TZ", "TZDIR", "USER"}
)
_KEPT_BEGINNINGS = ("COVERAGE_", "LC_", "PYTHON", "SSL_CERT_", "UNSTOPPABLE_", "XDG_")
"""What of the environment a run has."""
_KEPT_PLACES = ("state", "hot")
"""Where the journal and the lanes are."""
_INSTALLATION = ""
"""Stands for all of it where names of customers and resources stand."""
_LEAVING = timedelta(seconds=10)
"""How long a run that was killed may take to be gone."""
_WORST_FIRST = (
    ExitCode.FAILED,
    ExitCode.WRONG_KEY,
    ExitCode.NO_REPOSITORY,
    ExitCode.USAGE,
    ExitCode.CANCELLED,
    ExitCode.PARTIAL,
    ExitCode.SKIPPED,
)


class Conductor:
    """Starts a process for each run that is due, and ends them when it has to end itself."""

    def __init__(self, session: Session, found: Readings, *, is_all: bool = True) -> None:
        self._is_all = is_all
        self._unserved = Unserved()
        first = found.common.configuration
        self._session, self._env_file = session, first.env_file
        self._customers = found.customers
        self._places = {name: getattr(first.settings, name) for name in _KEPT_PLACES}
        self._has_fault = self._has_trouble = False
        self._sender, self._known = Sender(session), known_of(first)
        self.planner: Planner[Child | NotBegun] = Planner(
            self._known,
            self._start,
            most_at_once=_most_at_once(found),
            complain=self._complain,
        )
        self.take(found)

    def take(self, found: Readings) -> None:
        """Plan what can be planned from now on, and complain about the rest."""
        self._has_fault = complain(self._session, found)
        try:
            self._unserved = unserved.of(found) if self._is_all else Unserved()
        except UnstoppableError as error:
            self._complain(error)
        planned = {**schedules(found), **self._unserved.schedules}
        self._customers, self._faulty = found.customers, _faulty(found)
        self._has_file = found.common.configuration.has_file
        self._has_anybody = not found.nobody
        self._sender.take(found)
        self.planner.most_at_once = _most_at_once(found)
        self.planner.plan(planned, now(), impatient(found))

    def is_worse(self, found: Readings) -> bool:
        """Return whether new settings hold what is wrong with somebody who was in order before."""
        before = self._faulty
        return any({name, name.partition("/")[0]}.isdisjoint(before) for name in _faulty(found))

    def refusal(self, found: Readings) -> UsageError | None:
        """Return what new settings change that cannot be changed while runs are planned.

        The runs that are at work record and lock where they began, and whoever looks elsewhere
        would make their slots again, and beside them. A folder of customers that is gone is not
        mistaken for an installation of one directory, unless the settings speak of one; nor one
        that is empty for customers who left, nor a settings file that is gone for one that says
        nothing.
        """
        common = found.common.configuration
        if self._has_file and not common.has_file:
            return EnvFileMissing(path=self._env_file)
        if found.nobody and self._has_anybody:
            return CustomersLeft(folder=found.customers)
        is_gone = found.customers is None and not SettingsReader.is_of_one(common.given)
        if is_gone and self._customers is not None:
            return CustomersGone(folder=self._customers)
        settings = common.settings
        for name, place in self._places.items():
            other = getattr(settings, name)
            if other != place:
                return PlaceMoved(name=PREFIX + name.upper(), other=other, place=place)
        return None

    def conduct(self, cancel: Cancel, *, is_over: Callable[[], bool]) -> int:
        """Go on until it is over, or somebody cancels; returns the worst exit code of all runs."""
        with self._sender:
            while not cancel.is_set():
                self.planner.step(now())
                if is_over():
                    return self._exit_code()
                time.sleep(_LOOK_SECONDS)
            self._end()
        return ExitCode.CANCELLED

    def _complain(self, error: UnstoppableError) -> None:
        self._has_trouble = True
        output.complain(error, is_verbose=self._session.is_verbose)

    def _start(self, resource: ResourceName, slot: datetime) -> Child | NotBegun:
        if fault := self._unserved.faults.get(resource):
            return NotBegun(last_words=str(fault), exit_code=fault.exit_code)
        program = str(Path(sys.argv[0]).absolute())
        argv = (program, "--env-file", str(self._env_file), "backup", str(resource))
        order = Order(
            resource=resource,
            argv=(*argv, "--slot", slot.isoformat(), "--confined"),
            provide=lambda: self._provided(resource),
            environment=_of_children(self._places),
            tell=output.data,
            say=output.say,
            patience=watchdog.PATIENCE,
        )
        child = Child(order)
        self._sender.follow(resource.customer, child)
        return child

    def _provided(self, resource: ResourceName) -> Provided:
        """Return what a run is given, as its settings are now; raises what reading them does."""
        found = read_one(self._env_file, resource)
        return Provided(secrets=found.secrets(), longest=_longest(found, self._known.journal))

    def _end(self) -> None:
        """Have the runs end, and kill those that do not; how each ended is on record then."""
        for child in self.planner.running():
            child.stop()
        self._wait(watchdog.PATIENCE.grace)
        for child in self.planner.running():
            child.kill()
        self._wait(_LEAVING)

    def _wait(self, longest: timedelta) -> None:
        """Wait until no run is left, so long at most: what hangs in the kernel outlives a kill."""
        until = time.monotonic() + longest.total_seconds()
        self.planner.reap(now())
        while self.planner.running() and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
            self.planner.reap(now())

    def _exit_code(self) -> int:
        codes = {*self.planner.exit_codes, *([ExitCode.USAGE] if self._has_fault else [])}
        if self._has_trouble or codes - set(ExitCode):
            return ExitCode.FAILED
        return next((code for code in _WORST_FIRST if code in codes), ExitCode.SUCCEEDED)


def _of_children(places: Mapping[str, Path]) -> dict[str, str]:
    """Return the environment of a run: nothing there may be a secret, of another customer say.

    Where it records and locks is where it was planned, whatever the settings say meanwhile.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
        if name.removesuffix("_FILE") not in HANDED_OVER_NAMES | OF_SENDER
    }
    for name, place in places.items():
        kept.pop(f"{PREFIX}{name.upper()}_FILE", None)
        kept[PREFIX + name.upper()] = str(place)
    return kept


def _longest(configuration: Configuration, journal: Journal) -> timedelta | None:
    """Return how long a run may take, as it will find itself; None for any time."""
    try:
        is_limited = journal.has_complete(configuration.resource)
    except JournalUnusable:
        return None
    return configuration.settings.max_runtime * watchdog.PATIENCE.hour if is_limited else None


def _most_at_once(found: Readings) -> int:
    return found.common.configuration.settings.parallel or default_parallel()


def known_of(configuration: Configuration) -> RunsKnown:
    """Return what is known of the runs of an installation."""
    settings = configuration.settings
    holder = partial(lane.known_holder, settings.hot, tries=1)
    return RunsKnown(Journal(settings.state), holder)


def schedules(found: Readings) -> dict[ResourceName, Schedule]:
    """Return when the resources are due that can be backed up."""
    in_order = [reading.configuration for reading in found.all if not reading.faults]
    return {one.resource: one.schedule for one in in_order}


def _faulty(found: Readings) -> frozenset[str]:
    """Return the resources, and customers as a whole, with whom something is wrong."""
    resources = {str(one.configuration.resource) for one in found.all if one.faults}
    installation = {_INSTALLATION} if found.common.faults else set()
    return frozenset({*found.broken, *resources, *installation})


def impatient(found: Readings) -> frozenset[ResourceName]:
    """Return the resources that do not wait for others of their customer."""
    each = (reading.configuration for reading in found.all)
    return frozenset(one.resource for one in each if one.settings.overlap == SKIP)


def complain(session: Session, found: Readings) -> bool:
    """Tell everything that is wrong with the settings, each once; returns whether anything is."""
    for fault in found.faults:
        output.complain(fault, is_verbose=session.is_verbose)
    if found.nobody:
        output.say(f"note: {found.nobody}")
    return bool(found.faults)


def usable_ones(
    session: Session, readings: Readings, asked: str | None
) -> tuple[list[Configuration], bool]:
    """Return the settings of the resource that is asked for, or of all that can be used.

    Of all it complains about the others, and returns whether there are any; one that is asked for
    and cannot be used raises.
    """
    if asked is not None or readings.customers is None:
        return [usable(choose(readings, asked))], False
    has_fault = complain(session, readings)
    return [reading.configuration for reading in readings.all if not reading.faults], has_fault


def default_parallel() -> int:
    """Return how many runs there may be at once where nobody said it."""
    return 4 * (os.cpu_count() or 1)
