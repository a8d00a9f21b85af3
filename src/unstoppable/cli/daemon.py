"""`unstoppable daemon`."""

import signal
from types import FrameType
from typing import Self

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Verbatim
from unstoppable.cli.configuration import PREFIX
from unstoppable.cli.planning import Conductor, complain, schedules
from unstoppable.cli.settings import Readings, read_all
from unstoppable.cli.watch import stoppable
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count
from unstoppable.runner.files import make_private_folder

_NEEDED = frozenset(PREFIX + name for name in ("HOT", "STATE"))
"""Without these nothing could be recorded, and nobody would know what is at work."""


@click.command(cls=Verbatim)
@click.pass_obj
def daemon(session: Session) -> int:
    """Run what is due, until it is told to stop.

    Instead of a timer that calls `schedule tick`. SIGTERM has the runs that are at work keep what
    they have, and ends it. What cannot be backed up, because a customer's file is broken, say, is
    recorded as failed when it is due. SIGHUP reads settings and customers' files again; where
    something in them is wrong that was not before, hot or state is another folder, or nobody is
    left, they are refused, and what was planned before goes on.

    Example:
      unstoppable daemon

    Exit codes:
      0 it was told to stop    1 the state cannot be used
      2 the settings cannot be read, or do not say where hot and state are
    """
    found = read_all(session.env_file)
    common = found.common
    is_unread = not common.configuration.has_file and common.faults
    if is_unread or common.unknown & _NEEDED:
        complain(session, found)
        return ExitCode.USAGE
    make_private_folder(common.configuration.settings.state)
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
    """Return new settings; None where they are not taken, and why was told then.

    What was wrong before hinders nobody: else all would have to be mended at once.
    """
    try:
        found = read_all(session.env_file)
    except UnstoppableError as error:
        output.complain(error, is_verbose=session.is_verbose)
        return None
    if conductor.is_worse(found):
        complain(session, found)
        return None
    if refusal := conductor.refusal(found):
        output.complain(refusal, is_verbose=session.is_verbose)
        return None
    return found


def _planned(found: Readings) -> str:
    resources = schedules(found)
    customers = {resource.customer for resource in resources}
    return f"{count(len(resources), 'resource')} of {count(len(customers), 'customer')}"
