"""`unstoppable schedule`."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

import click

from unstoppable.cli import output, unserved
from unstoppable.cli.backup import run_now
from unstoppable.cli.calling import (
    NOBODY,
    calling_sentence,
    install_caller,
    installed_callers,
    who_calls,
    whose,
)
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.planning import Conductor, complain, known_of
from unstoppable.cli.sender import sending
from unstoppable.cli.settings import Readings, choose, read_all, usable
from unstoppable.cli.watch import stoppable
from unstoppable.domain.outcome import ExitCode
from unstoppable.runner.journal import Journal
from unstoppable.runner.run import now
from unstoppable.runner.tick import look, what_is_due

_NEXT_SHOWN = 3
_LOOKED_AHEAD = timedelta(days=366 * 5)


@click.group()
def schedule() -> None:
    """Make backups when they are due."""


@schedule.command(cls=Speaking)
@resource_argument
@click.option("--dry-run", is_flag=True, help="Tell what is due; run and record nothing.")
@click.pass_obj
def tick(session: Session, *, asked: str | None, dry_run: bool) -> int:
    """Run what is due now; says nothing where nothing is.

    To be called every minute. After a pause the newest slot is made up for once, and older ones
    are recorded as skipped, as are those that came while a run was at work.

    Example:
      unstoppable schedule tick

    Exit codes:
      0 nothing was due, or it succeeded    else those of `unstoppable backup`
    """
    found = read_all(session.env_file)
    if found.customers is not None:
        return _tick_all(session, found, asked, dry_run=dry_run)
    reading = choose(found, asked)
    known = known_of(reading.configuration)
    for trouble in () if dry_run else unserved.record(reading, known):
        output.complain(trouble, is_verbose=session.is_verbose)
    return _tick_one(session, usable(reading), dry_run=dry_run)


def _tick_one(session: Session, configuration: Configuration, *, dry_run: bool) -> int:
    resource, known = configuration.resource, known_of(configuration)
    if dry_run:
        found = what_is_due(known, resource, configuration.schedule, now())
        return _rehearse(session, configuration, found.run)
    with sending(session, configuration, is_by_hand=False):
        found, troubles = look(known, resource, configuration.schedule, now())
        for trouble in troubles:
            output.complain(trouble, is_verbose=session.is_verbose)
        if found.run is not None:
            return run_now(session, configuration, slot_at=found.run)
    return ExitCode.FAILED if troubles else ExitCode.SUCCEEDED


def _tick_all(session: Session, found: Readings, asked: str | None, *, dry_run: bool) -> int:
    """Run what is due of many customers, and go on while something runs."""
    if asked is not None:
        found = replace(found, all=(choose(found, asked),), broken={})
    if dry_run:
        return _rehearse_all(session, found)
    conductor = Conductor(session, found, is_all=asked is None)
    with stoppable() as cancel:
        return conductor.conduct(cancel, is_over=lambda: conductor.planner.is_idle)


def _rehearse_all(session: Session, found: Readings) -> int:
    has_fault = complain(session, found)
    due: dict[str, datetime | None] = {}
    for reading in found.all:
        configuration, moment = reading.configuration, now()
        if not reading.faults:
            resource = configuration.resource
            looked = what_is_due(known_of(configuration), resource, configuration.schedule, moment)
            due[str(resource)] = looked.run
    if session.is_json:
        output.document([{"resource": resource, "due": slot} for resource, slot in due.items()])
    else:
        told = [(name, output.local(slot)) for name, slot in due.items() if slot is not None]
        output.table(("would run", "due"), told)
        if not told:
            output.data("nothing is due")
    return ExitCode.USAGE if has_fault else ExitCode.SUCCEEDED


@schedule.command(cls=Speaking)
@resource_argument
@click.pass_obj
def show(session: Session, *, asked: str | None) -> int:
    """Show when backups are due.

    Example:
      unstoppable schedule show
      unstoppable schedule show acme/www

    Exit codes:
      0 shown    1 failed    2 wrong usage
    """
    readings = read_all(session.env_file)
    if readings.customers is not None and asked is None:
        return _show_all(session, readings)
    configuration = usable(choose(readings, asked))
    coming = _coming(configuration)
    last = Journal(configuration.settings.state).last_slot(configuration.resource, until=now())
    if session.is_json:
        output.document(
            {
                "resource": str(configuration.resource),
                "schedule": configuration.schedule.line,
                "zone": configuration.schedule.zone,
                "is_default": configuration.settings.schedule is None,
                "last_slot": last,
                "next_slots": coming,
                "called_by": who_calls(configuration),
            }
        )
        return ExitCode.SUCCEEDED
    origin = "" if configuration.settings.schedule else " (UNSTOPPABLE_SCHEDULE is not set)"
    output.data(f"resource     {configuration.resource}")
    output.data(f"schedule     {configuration.schedule}{origin}")
    output.data(f"last slot    {output.local(last) if last else 'none'}")
    for name, slot in zip(("next", *[""] * _NEXT_SHOWN), coming, strict=False):
        output.data(f"{name:<12} {output.local(slot)}")
    output.data(f"called by    {' and '.join(who_calls(configuration)) or NOBODY}")
    return ExitCode.SUCCEEDED


def _show_all(session: Session, readings: Readings) -> int:
    all_of_them = _all_usable(readings)
    coming = {one.resource: next(iter(_coming(one)), None) for one in all_of_them}
    callers = who_calls(readings.common.configuration)
    if session.is_json:
        found = [
            {
                "resource": str(one.resource),
                "schedule": one.schedule.line,
                "zone": one.schedule.zone,
                "next_slot": coming[one.resource],
            }
            for one in all_of_them
        ]
        output.document({"resources": found, "called_by": callers})
        return ExitCode.SUCCEEDED
    rows = [
        (str(one.resource), str(one.schedule), output.local(slot) if slot else "none")
        for one in all_of_them
        for slot in (coming[one.resource],)
    ]
    output.table(("resource", "schedule", "next"), rows)
    if readings.nobody:
        output.data(readings.nobody)
    output.data(f"called by {' and '.join(callers) or NOBODY}")
    return ExitCode.SUCCEEDED


@schedule.command(cls=Speaking)
@click.option("--cron", is_flag=True, help="Use the crontab, though systemd runs.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; change nothing.")
@click.pass_obj
def install(session: Session, *, cron: bool, dry_run: bool) -> int:
    """Have the system call `schedule tick` every minute.

    As root by a systemd timer, whose service may write hot, cold and state alone; as a user, or
    where systemd does not run, by a line in the crontab. Do it again when one of them has moved.

    Example:
      unstoppable schedule install
      unstoppable schedule install --dry-run

    Exit codes:
      0 installed, or it was    1 failed    2 wrong usage
    """
    readings = read_all(session.env_file)
    if readings.nobody:
        choose(readings, None)
    found = _all_usable(readings)
    chosen, is_changed = install_caller(*found, uses_cron=cron, dry_run=dry_run)
    if session.is_json:
        document = {"called_by": chosen.title, "is_changed": is_changed, "dry_run": dry_run}
        output.document({**document, "files": chosen.files})
    elif dry_run:
        output.data("\n".join(f"{path}:\n{text}" for path, text in chosen.files.items()))
    else:
        output.data(calling_sentence(*found, caller=chosen, is_changed=is_changed))
    return ExitCode.SUCCEEDED


@schedule.command(cls=Speaking)
@click.option("--dry-run", is_flag=True, help="Tell what would be removed; change nothing.")
@click.pass_obj
def remove(session: Session, *, dry_run: bool) -> int:
    """Have the system call the schedule no more.

    Settings and backups stay as they are; a backup that is going on ends by itself.

    Example:
      unstoppable schedule remove

    Exit codes:
      0 removed, or there was nothing    1 failed    2 wrong usage
    """
    readings = read_all(session.env_file)
    all_of_them = [reading.configuration for reading in readings.all]
    found = installed_callers(readings.common.configuration)
    for caller in () if dry_run else found:
        caller.remove()
    names = [caller.title for caller in found]
    if session.is_json:
        output.document({"removed": names, "dry_run": dry_run})
    else:
        word = "would be called" if dry_run else "is called"
        told = f"no more by {' and '.join(names)}" if names else "by nobody, as before"
        output.data(f"the schedule of {whose(*all_of_them)} {word} {told}")
    return ExitCode.SUCCEEDED


def _all_usable(found: Readings) -> list[Configuration]:
    """Return the settings of all resources; raises what is wrong with any of them."""
    for fault in found.faults:
        raise fault
    return [reading.configuration for reading in found.all]


def _coming(configuration: Configuration) -> list[datetime]:
    start = now()
    slots = configuration.schedule.slots(after=start, until=start + _LOOKED_AHEAD)
    return list(islice(slots, _NEXT_SHOWN))


def _rehearse(session: Session, configuration: Configuration, slot: datetime | None) -> int:
    if session.is_json:
        output.document({"resource": str(configuration.resource), "due": slot})
    elif slot is None:
        coming = _coming(configuration)
        following = output.local(coming[0]) if coming else "none within five years"
        output.data(f"nothing is due; next: {following}")
    else:
        output.data(f"would run what was due at {output.local(slot)}")
    return ExitCode.SUCCEEDED
