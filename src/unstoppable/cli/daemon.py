"""`unstoppable daemon`."""

import signal
from types import FrameType
from typing import Self

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Verbatim
from unstoppable.cli.planning import Conductor, complain
from unstoppable.cli.settings import Readings, read_all
from unstoppable.cli.watch import stoppable
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count


@click.command(cls=Verbatim)
@click.pass_obj
def daemon(session: Session) -> int:
    """Run what is due, until it is told to stop.

    Instead of a timer that calls `schedule tick`. SIGTERM has the runs that are at work keep what
    they have, and ends it. SIGHUP reads settings and customers' files again; where something in
    them is wrong, or hot or state is another folder, they are refused, and what was planned
    before goes on.

    Example:
      unstoppable daemon

    Exit codes:
      0 it was told to stop    2 the settings cannot be used
    """
    found = read_all(session.env_file)
    if not found.nobody and all(reading.faults for reading in found.all):
        complain(session, found)
        return ExitCode.USAGE
    with stoppable() as cancel, _Reloading() as reloading:
        conductor = Conductor(session, found)
        output.say(f"planning {_planned(found)}")
        conductor.conduct(cancel, is_over=lambda: reloading.pass_on(session, conductor))
    output.say("stopped")
    return ExitCode.SUCCEEDED


class _Reloading:
    """Hears that the settings are to be read again."""

    def __init__(self) -> None:
        self._is_wanted = False

    def __enter__(self) -> Self:
        self._former = signal.signal(signal.SIGHUP, self._want)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._former)

    def _want(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_wanted = True

    def pass_on(self, session: Session, conductor: Conductor) -> bool:
        """Have new settings taken where somebody wants that and they are in order."""
        if not self._is_wanted:
            return False
        self._is_wanted = False
        found = _read_in_order(session, conductor)
        if found is None:
            output.say("the new settings are refused; what was planned before goes on")
        else:
            conductor.take(found)
            output.say(f"the settings were read again, planning {_planned(found)}")
        return False


def _read_in_order(session: Session, conductor: Conductor) -> Readings | None:
    """Return new settings; None where something is wrong with them, which was told then."""
    try:
        found = read_all(session.env_file)
    except UnstoppableError as error:
        output.complain(error, is_verbose=session.is_verbose)
        return None
    if found.faults:
        complain(session, found)
        return None
    if refusal := conductor.refusal(found):
        output.complain(refusal, is_verbose=session.is_verbose)
        return None
    return found


def _planned(found: Readings) -> str:
    customers = {reading.configuration.resource.customer for reading in found.all}
    return f"{count(len(found.all), 'resource')} of {count(len(customers), 'customer')}"
