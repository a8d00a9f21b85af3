"""`unstoppable config check`."""

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking
from unstoppable.cli.outlook import Outlook, look
from unstoppable.cli.settings import read
from unstoppable.domain.text import count, printable
from unstoppable.runner.run import now

_SLOTS_SHOWN = 3


@click.command(cls=Speaking)
@click.pass_obj
def check(session: Session) -> int:
    """Tell what the next 24 hours bring, and what is in the way.

    Looks at settings, folders, pins, key, repository, source, schedule and clock, and changes
    nothing. Every fault is told, in the order in which a backup would meet them; the exit code is
    that of the first.

    Example:
      unstoppable config check

    Exit codes:
      0 no fault    1 a folder, the source or the clock    2 the settings
      10 no repository    12 wrong key or broken pin
    """
    found = look(read(session.env_file), now())
    if session.is_json:
        output.document(_document(found))
        return found.exit_code
    for line in (_what(found), *_when(found)):
        output.data(line)
    for note in found.notes:
        output.say(f"note: {note}")
    for fault in found.faults:
        output.complain(fault, is_verbose=session.is_verbose)
    output.data(_verdict(found))
    return found.exit_code


def _what(found: Outlook) -> str:
    configuration = found.configuration
    if found.source is None:
        return f"{configuration.resource}: it is not known what would be backed up"
    source, cold = (printable(str(path)) for path in (found.source, configuration.settings.cold))
    return f"{configuration.resource}: {source} is backed up to {cold}"


def _when(found: Outlook) -> list[str]:
    if found.slots is None:
        return ["it is not known when"]
    told = [", ".join(map(output.local, found.slots[:_SLOTS_SHOWN]))]
    if len(found.slots) > _SLOTS_SHOWN:
        told.append(f"and {count(len(found.slots) - _SLOTS_SHOWN, 'more time')}")
    lines = [f"in the next 24 hours: {' '.join(told)}"]
    if not found.slots:
        following = output.local(found.next_slot) if found.next_slot else "none within a year"
        lines = [f"in the next 24 hours: not at all; the next time: {following}"]
    if found.due_now is not None:
        lines.insert(0, f"with the next tick: what was due at {output.local(found.due_now)}")
    if found.callers:
        lines.append(f"the schedule is called by {' and '.join(found.callers)}")
    return lines


def _verdict(found: Outlook) -> str:
    if found.faults:
        return f"{count(len(found.faults), 'fault')}, each with the way out"
    return "in order: settings, folders, pins, key, repository, source, schedule and clock"


def _document(found: Outlook) -> dict[str, object]:
    configuration, slots = found.configuration, found.slots
    return {
        "resource": str(configuration.resource),
        "source": found.source,
        "cold": configuration.settings.cold,
        "due_now": found.due_now,
        "next_slot": found.next_slot,
        "slots_in_24_hours": None if slots is None else len(slots),
        "called_by": found.callers,
        "exit_code": found.exit_code,
        "faults": [
            {
                "kind": type(fault).__name__,
                "message": printable(str(fault)),
                "hint": printable(fault.hint),
                "exit_code": fault.exit_code,
            }
            for fault in found.faults
        ],
        "notes": found.notes,
    }
