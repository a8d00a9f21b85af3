"""What the next day will bring, and everything that stands in its way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from unstoppable.cli.configuration import PREFIX, Configuration, real
from unstoppable.cli.planning import known_of
from unstoppable.cli.settings_reader import Reading
from unstoppable.cli.undelivered import lacking
from unstoppable.domain import errors
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.outlook_errors import ScheduleRare
from unstoppable.domain.setup_errors import KeyLost
from unstoppable.domain.text import printable
from unstoppable.runner import faults
from unstoppable.runner.tick import what_is_due

_LOOKED_AHEAD = timedelta(days=1)
_A_YEAR = timedelta(days=366)
_NAMES_OF_RESOURCE = ("CUSTOMER", "RESOURCE")
_S3 = PREFIX + "S3_"
_SERVER = PREFIX + "SOURCE_"


@dataclass(slots=True, kw_only=True)
class Outlook:
    """What is known of the next day; a None is unknown because of a fault."""

    configuration: Configuration
    source: Path | FtpsSource | None = None
    slots: list[datetime] | None = None
    """Those of the next day."""
    next_slot: datetime | None = None
    """The first of them, or where there are none of those of the next year."""
    due_now: datetime | None = None
    """The slot that the next tick runs, if there is one."""
    callers: list[str] = field(default_factory=list)
    faults: list[UnstoppableError] = field(default_factory=list)
    """In the order in which a backup would meet them."""
    notes: list[str] = field(default_factory=list)
    is_refused: bool = False
    """Whether no command backs it up, because of what its settings say."""

    @property
    def exit_code(self) -> int:
        """The one of the fault that a backup would meet first."""
        return self.faults[0].exit_code if self.faults else ExitCode.SUCCEEDED


def look(reading: Reading, moment: datetime, callers: list[str]) -> Outlook:
    """Return what will happen within a day after `moment`; changes nothing.

    What depends on a setting that cannot be used is not looked at. `callers` call the schedule of
    the installation: to look for them takes a process, which nobody wants for each resource.
    """
    found = Outlook(
        configuration=reading.configuration,
        callers=callers,
        faults=list(reading.faults),
        is_refused=bool(reading.faults),
    )
    looks: tuple[tuple[Callable[[Outlook, Reading, datetime], None], tuple[str, ...]], ...] = (
        (_look_at_folders, ()),
        (_look_at_repository, ("COLD", "KEY", "REPOSITORY_KEY", *_NAMES_OF_RESOURCE)),
        (_look_at_source, ("SOURCE", "HOT", "COLD", "STATE", *_NAMES_OF_RESOURCE)),
        (_look_at_schedule, ("SCHEDULE", "STATE", *_NAMES_OF_RESOURCE)),
    )
    for look_at, needed in looks:
        if not any(PREFIX + name in reading.unknown for name in needed):
            look_at(found, reading, moment)
    found.notes += _notes(found)
    return found


def _look_at_folders(found: Outlook, reading: Reading, _moment: datetime) -> None:
    folders, resource = found.configuration.own_folders, found.configuration.resource
    # What lies deeper may belong to somebody else: root, say, who ran a backup once.
    below = {
        "hot": ("", resource.customer),
        "state": ("",),
        "cold": ("", f"{resource}/g*", f"{resource}/g*/*"),
    }
    told = set()
    for place, patterns in below.items():
        if f"{PREFIX}{place.upper()}" in reading.unknown or place not in folders:
            continue
        folder = folders[place]
        paths = [path for pattern in patterns for path in _folders(folder, pattern)]
        for path in paths:
            for fault in faults.of_folder(path):
                if str(fault) not in told:
                    told.add(str(fault))
                    found.faults.append(fault)


def _folders(folder: Path, pattern: str) -> Iterator[Path]:
    if not pattern:
        yield folder
        return
    try:
        yield from (path for path in folder.glob(pattern) if path.is_dir())
    except OSError:
        # That it cannot be read was told of the folder itself.
        return


def _look_at_repository(found: Outlook, reading: Reading, moment: datetime) -> None:
    configuration = found.configuration
    if any(name.startswith(_S3) for name in reading.unknown) and not configuration.has_cold_folder:
        return
    try:
        installation = configuration.installation()
    except (errors.SettingMissing, KeyLost) as error:
        found.faults += faults.of_pins(configuration.pins_file, configuration.resource)
        found.faults.append(error)
        return
    found.faults += faults.of_repository(installation, moment)


def _look_at_source(found: Outlook, reading: Reading, _moment: datetime) -> None:
    configuration = found.configuration
    if any(name.startswith(_SERVER) for name in reading.unknown) and configuration.is_on_server:
        return
    try:
        found.source = configuration.source
    except UnstoppableError as error:
        found.faults.append(error)
        return
    found.faults += faults.of_source(found.source, configuration.resource)


def _look_at_schedule(found: Outlook, _reading: Reading, moment: datetime) -> None:
    configuration = found.configuration
    schedule, resource = configuration.schedule, configuration.resource
    found.slots = list(schedule.slots(after=moment, until=moment + _LOOKED_AHEAD))
    found.next_slot = next(schedule.slots(after=moment, until=moment + _A_YEAR), None)
    if found.next_slot is None:
        name = configuration.called(PREFIX + "SCHEDULE")
        found.faults.append(ScheduleRare(schedule=schedule, resource=resource, name=name))
    try:
        known = known_of(configuration)
        found.due_now = what_is_due(known, resource, schedule, moment).run
    except UnstoppableError as error:
        found.faults.append(error)
    found.faults += faults.of_emitter(configuration.settings.state, resource.customer)


def _notes(found: Outlook) -> Iterator[str]:
    if not found.callers:
        yield "nobody is known to call the schedule here, see `unstoppable schedule install`"
    yield from lacking(found.configuration)
    if found.configuration.has_file and found.configuration.only_in_environment:
        names = ", ".join(found.configuration.only_in_environment)
        yield f"of this environment alone, which a timer or cron does not have: {names}"
    for name, reference in found.configuration.in_variables.items():
        yield f"{name} is {reference}, which a timer or cron does not have: better file:/PATH"
    yield from _unread(found.configuration)
    if isinstance(found.source, Path):
        yield from _notes_on_source(found.source, found.configuration)


def _unread(configuration: Configuration) -> Iterator[str]:
    if configuration.has_cold_folder:
        unread = [name for name in configuration.given if name.startswith(_S3)]
        if unread:
            yield f"cold is a folder, nobody reads {', '.join(sorted(unread))}"
    if not configuration.is_on_server:
        unread = [name for name in configuration.given if name.startswith(_SERVER)]
        if unread:
            yield f"the source is no server, nobody reads {', '.join(sorted(unread))}"


def _notes_on_source(source: Path, configuration: Configuration) -> Iterator[str]:
    folders, whole = configuration.own_folders, real(source)
    for place, folder in folders.items():
        if real(folder).is_relative_to(whole):
            name = PREFIX + place.upper()
            yield f"{name}={printable(str(folder))} lies inside the source and is left out"
    if not configuration.has_cold_folder:
        return
    one, other = faults.nearest(source), faults.nearest(folders["cold"])
    if one == source and one.stat().st_dev == other.stat().st_dev:
        yield "cold and the source are on one file system: a broken disk takes both"
