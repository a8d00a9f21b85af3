"""`unstoppable config check`."""

from collections.abc import Iterable

import click

from unstoppable.cli import customers, output
from unstoppable.cli.calling import who_calls
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.outlook import Outlook, look
from unstoppable.cli.settings import Readings, choose, read_all
from unstoppable.cli.undelivered import undelivered
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count, printable
from unstoppable.runner.run import now

_SLOTS_SHOWN = 3


@click.command(cls=Speaking)
@resource_argument
@click.pass_obj
def check(session: Session, *, asked: str | None) -> int:
    """Tell what the next 24 hours bring, and what is in the way.

    Looks at settings, folders, pins, key, repository, source, schedule and clock, and changes
    nothing. Every fault is told, in the order in which a backup would meet them; the exit code is
    that of the first. Of many customers each resource is looked at, or the one that is named.

    Example:
      unstoppable config check
      unstoppable config check acme/www

    Exit codes:
      0 no fault    1 a folder, the source or the clock    2 the settings
      10 no repository    12 wrong key or broken pin
    """
    readings = read_all(session.env_file)
    if readings.customers is not None and asked is None:
        return _check_all(session, readings)
    found = look(choose(readings, asked), now(), who_calls(readings.common.configuration))
    found.notes += _undelivered([found])
    if session.is_json:
        output.document(_document(found))
    else:
        _tell(session, found, set())
        output.data(_verdict(found))
    return found.exit_code


def _check_all(session: Session, readings: Readings) -> int:
    """Look at each resource, and at what there is in common."""
    callers = who_calls(readings.common.configuration)
    all_found = [look(reading, now(), callers) for reading in readings.all]
    on_disk = customers.on_disk([found.configuration for found in all_found])
    for found in all_found:
        known = {str(fault) for fault in found.faults}
        more = on_disk.get(found.configuration.resource, [])
        found.faults += [fault for fault in more if str(fault) not in known]
    told = {str(fault) for found in all_found for fault in found.faults}
    broken = [fault for fault in readings.faults if str(fault) not in told]
    notes = [*readings.notes, *_undelivered(all_found)]
    if session.is_json:
        output.document(
            {
                "resources": [_document(found) for found in all_found],
                "faults": [output.fault(fault) for fault in broken],
                "notes": notes,
            }
        )
    else:
        common = _in_all([found.notes for found in all_found])
        said = _complain(session, readings.common.faults, set())
        for found in all_found:
            found.notes = [
                f"{found.configuration.resource}: {note}"
                for note in found.notes
                if note not in common
            ]
            _tell(session, found, said)
        for note in (*sorted(common), *notes):
            output.say(f"note: {note}")
        _complain(session, broken, said)
        output.data(readings.nobody or _verdict_on_all(all_found, readings))
    codes = [found.exit_code for found in all_found] + [fault.exit_code for fault in broken]
    return next(filter(None, codes), ExitCode.SUCCEEDED)


def _undelivered(all_found: list[Outlook]) -> list[str]:
    """Return what was not taken by those who are told of runs."""
    waiting = undelivered(found.configuration for found in all_found)
    return [f"undelivered: {one.sentence}" for one in waiting if one.cause]


def _in_all(all_notes: list[list[str]]) -> set[str]:
    """Return what is said of each of several."""
    return set.intersection(*map(set, all_notes)) if len(all_notes) > 1 else set()


def _verdict_on_all(all_found: list[Outlook], readings: Readings) -> str:
    faulty = len([found for found in all_found if found.faults])
    said = [
        f"{count(len(all_found), 'resource')}: {len(all_found) - faulty} in order",
        f"{faulty} with faults",
    ]
    in_files = {str(fault) for of_one in readings.broken.values() for fault in of_one}
    for number, where in (
        (len(readings.common.faults), "the settings of all"),
        (len(in_files), "files of customers"),
    ):
        if number:
            said.append(f"{count(number, 'fault')} in {where}")
    if said[2:]:
        said[-1] = f"and {said[-1]}"
    return ", ".join(said)


def _complain(session: Session, faults: Iterable[UnstoppableError], said: set[str]) -> set[str]:
    """Tell faults that were not `said` before, of all or of another one; returns what is said."""
    for fault in faults:
        if str(fault) not in said:
            output.complain(fault, is_verbose=session.is_verbose)
            said.add(str(fault))
    return said


def _tell(session: Session, found: Outlook, said: set[str]) -> None:
    for line in (_what(found), *_when(found)):
        output.data(line)
    for note in found.notes:
        output.say(f"note: {note}")
    _complain(session, found.faults, said)


def _what(found: Outlook) -> str:
    configuration = found.configuration
    if found.source is None:
        return f"{configuration.resource}: it is not known what would be backed up"
    source, cold = (printable(str(path)) for path in (found.source, configuration.settings.cold))
    if found.is_refused:
        return f"{configuration.resource}: {source} is not backed up until its settings are mended"
    return f"{configuration.resource}: {source} is backed up to {cold}"


def _when(found: Outlook) -> list[str]:
    if found.slots is None:
        return ["it is not known when"]
    told = [", ".join(map(output.local, found.slots[:_SLOTS_SHOWN]))]
    if len(found.slots) > _SLOTS_SHOWN:
        told.append(f"and {count(len(found.slots) - _SLOTS_SHOWN, 'more time')}")
    if found.is_refused:
        return [
            f"in the next 24 hours: {count(len(found.slots), 'slot')} would be recorded as failed"
        ]
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
        "faults": [output.fault(fault) for fault in found.faults],
        "notes": found.notes,
    }
