"""`unstoppable customer list`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from unstoppable.cli import env_file, output
from unstoppable.cli.command import Session, Speaking, complete_customer
from unstoppable.cli.configuration import PREFIX
from unstoppable.cli.settings import Readings, read_all
from unstoppable.cli.settings_reader import Reading
from unstoppable.domain import names
from unstoppable.domain.customer_errors import CustomerNotThere
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count, printable

_COLUMNS = ("resource", "source", "schedule", "file")
_UNKNOWN = "unknown"
_ADD = "`unstoppable customer add NAME --resource NAME=DIR` adds one"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Customer:
    """What was read of a customer's file."""

    path: Path
    readings: tuple[Reading, ...]
    """Of its resources; none where it cannot be used."""
    faults: tuple[UnstoppableError, ...]


@click.command("list", cls=Speaking)
@click.argument("name", required=False, shell_complete=complete_customer)
@click.pass_obj
def listed(session: Session, *, name: str | None) -> int:
    """List customers, what is backed up of each, and when.

    Reads the files of customers, no key and no repository; `unstoppable status` tells how the
    backups are.

    Example:
      unstoppable customer list
      unstoppable customer list acme

    Exit codes:
      0 listed    2 wrong usage, no such customer, or a file that cannot be used
    """
    folder, files = env_file.customers(env_file.locate(session.env_file))
    if files is None:
        read_all(session.env_file)  # raises where customers are known, as it does for `status`
    if name is not None:
        path = folder / f"{names.name(name)}.toml"
        if path not in (files or ()):
            raise CustomerNotThere(name=name, folder=folder)
    readings = read_all(session.env_file, may_be_missing=True)
    shown = _found(readings, [path for path in files or () if name in {None, path.stem}])
    own = {str(fault): fault for one in shown for fault in one.faults}
    faults = [*readings.common.faults, *own.values()]
    if session.is_json:
        customers, told = list(map(_document, shown)), list(map(output.fault, faults))
        output.document({"folder": folder, "customers": customers, "faults": told})
    else:
        _tell(folder, files, shown)
        for fault in faults:
            output.complain(fault, is_verbose=session.is_verbose)
    return faults[0].exit_code if faults else ExitCode.SUCCEEDED


def _found(readings: Readings, paths: Sequence[Path]) -> list[_Customer]:
    """Return what was read of each file."""
    common = {str(fault) for fault in readings.common.faults}
    by_name: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings.all if paths else ():
        by_name[reading.configuration.resource.customer].append(reading)
    found = []
    for path in paths:
        of_resources = [fault for one in by_name[path.stem] for fault in one.faults]
        faults = [*readings.broken.get(path.stem, ()), *of_resources]
        own = tuple(fault for fault in faults if str(fault) not in common)
        found.append(_Customer(path=path, readings=tuple(by_name[path.stem]), faults=own))
    return found


def _tell(folder: Path, files: Sequence[Path] | None, shown: Sequence[_Customer]) -> None:
    if not files:
        lacking = "there is no folder" if files is None else "no customer is in"
        output.data(f"{lacking} {printable(str(folder))}: {_ADD}")
        return
    output.table(_COLUMNS, [row for one in shown for row in _rows(one)])
    resources = sum(len(one.readings) for one in shown)
    broken = sum(not one.readings for one in shown)
    told = f"{count(len(shown), 'customer')} with {count(resources, 'resource')}"
    output.data(f"{told}; {count(broken, 'file')} cannot be used" if broken else told)


def _rows(found: _Customer) -> list[tuple[str, ...]]:
    """Return what a table says of each resource of a customer, or of one whose file is broken."""
    file = printable(str(found.path))
    if not found.readings:
        return [(printable(found.path.stem), _UNKNOWN, _UNKNOWN, file)]
    return [
        (
            str(one.configuration.resource),
            printable(_source(one) or _UNKNOWN),
            _schedule(one) or _UNKNOWN,
            file,
        )
        for one in found.readings
    ]


def _source(reading: Reading) -> str | None:
    source = reading.configuration.settings.source
    return None if source is None or f"{PREFIX}SOURCE" in reading.unknown else str(source)


def _schedule(reading: Reading) -> str | None:
    is_known = f"{PREFIX}SCHEDULE" not in reading.unknown
    return str(reading.configuration.schedule) if is_known else None


def _document(found: _Customer) -> dict[str, object]:
    return {
        "customer": printable(found.path.stem),
        "file": printable(str(found.path)),
        "resources": [
            {
                "resource": one.configuration.resource.resource,
                "source": printable(source) if (source := _source(one)) else None,
                "schedule": _schedule(one),
            }
            for one in found.readings
        ],
        "faults": list(map(output.fault, found.faults)),
    }
