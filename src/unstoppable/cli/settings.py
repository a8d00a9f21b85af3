"""The settings of each resource; what each one means stands in settings_model.py."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from unstoppable.cli import customer_file, customers, env_file, hints
from unstoppable.cli.configuration import KEYS, Configuration, Given
from unstoppable.cli.customer_file import Customer
from unstoppable.cli.settings_reader import Reading, SettingsReader
from unstoppable.domain import errors
from unstoppable.domain.customer_errors import (
    CustomersGone,
    NoCustomer,
    ResourceNotNamed,
    ResourceNotThere,
)
from unstoppable.domain.names import ResourceName
from unstoppable.domain.text import printable, some
from unstoppable.runner import emitter_file

_NOTHING: Mapping[str, str] = MappingProxyType({})
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was read of every resource."""

    all: tuple[Reading, ...]
    """By customer, in the order of their names; of one in the order of its file."""
    common: Reading
    """What holds for all of them; where there is one resource alone, that one."""
    broken: Mapping[str, tuple[errors.UnstoppableError, ...]] = field(default_factory=dict)
    """Customers of which nothing can be used, and why."""
    customers: Path | None = None
    """The folder of their files; None where the settings file is of one resource alone."""
    notes: tuple[str, ...] = ()
    """What should be known of their files, and harms nothing."""

    @property
    def nobody(self) -> str | None:
        """What is said where there are many customers, and none is there yet, or any more."""
        if self.customers is None or self.all or self.broken:
            return None
        return f"no customer in {printable(str(self.customers))}: nothing is backed up"

    @property
    def faults(self) -> tuple[errors.UnstoppableError, ...]:
        """Everything that is wrong, each told once, what holds for all first."""
        found = [*self.common.faults]
        found += [fault for reading in self.all for fault in reading.faults]
        found += [fault for of_customer in self.broken.values() for fault in of_customer]
        return tuple({str(fault): fault for fault in found}.values())


def load(
    named: Path | None,
    asked: str | None = None,
    *,
    may_be_missing: bool = False,
    secrets: Mapping[str, str] = _NOTHING,
    is_alone: bool = False,
) -> Configuration:
    """Return the settings of one resource: of the environment and the settings file.

    A file that nobody named may be missing; with `may_be_missing` a named one as well.
    Where there are many customers, `asked` says which resource, and its customer's file goes
    before both. `secrets` were handed over, and take the place of what all of them say.
    With `is_alone` no other customer's file is opened, for a process that gives up the rest: that
    no two have in common what they must not, whoever started it has seen. And of the secrets in the
    settings file, which are other customers' as well, none is kept where they were handed over.
    Raises the errors of settings, each naming the place and the setting.
    """
    if is_alone and asked is not None:
        found = _read_one(named, ResourceName.parse(asked), is_secretless=bool(secrets))
        hints.are_many(is_so=found.configuration.customer_file is not None)
        hints.about(found.configuration.resource)
    else:
        found = choose(read_all(named, may_be_missing=may_be_missing), asked)
    return usable(_handed(found, secrets) if secrets else found)


def usable(found: Reading) -> Configuration:
    """Return settings that are in order; raises the first of their faults."""
    if found.faults:
        raise found.faults[0]
    return found.configuration


def read(
    named: Path | None, asked: str | None = None, *, secrets: Mapping[str, str] = _NOTHING
) -> Reading:
    """Return the same settings as `load`, as far as they can be read, and every fault of them."""
    found = choose(read_all(named), asked)
    return _handed(found, secrets) if secrets else found


def _handed(found: Reading, secrets: Mapping[str, str]) -> Reading:
    """Return the same settings with secrets that another program handed over."""
    reader, configuration = SettingsReader(), found.configuration
    handed_over, given = reader.handed_over(secrets), configuration.given
    if handed_over.keys() & KEYS.keys():  # there is one key, of either kind
        given = {name: value for name, value in given.items() if name not in KEYS}
    given = {**given, **handed_over}
    settings = reader.settings(given)
    faults = (*found.faults, *reader.faults)
    unknown = (found.unknown - handed_over.keys()) | reader.unknown
    return Reading(
        configuration=replace(configuration, settings=settings, given=given),
        faults=tuple({str(fault): fault for fault in faults}.values()),
        unknown=frozenset(unknown),
    )


def choose(found: Readings, asked: str | None) -> Reading:
    """Return what was read of one resource.

    Raises ResourceUnknown, ResourceNotThere, ResourceNotNamed, or the fault of its customer.
    """
    chosen = _chosen(found, asked)
    hints.about(chosen.configuration.resource)
    return chosen


def _chosen(found: Readings, asked: str | None) -> Reading:
    if found.customers is None:
        [only] = found.all
        configured = only.configuration.resource
        if asked is not None and ResourceName.parse(asked) != configured:
            raise errors.ResourceUnknown(asked=asked, configured=configured)
        return only
    names = {str(reading.configuration.resource): reading for reading in found.all}
    if asked is None:
        if len(names) == 1 and not found.broken:
            return found.all[0]
        if not names:
            raise next(iter(found.faults), NoCustomer(folder=found.customers))
        raise ResourceNotNamed(resources=some(sorted(names), _SHOWN))
    wanted = ResourceName.parse(asked)
    if asked in names:
        return names[asked]
    if wanted.customer in found.broken:
        raise found.broken[wanted.customer][0]
    if found.nobody:
        raise next(iter(found.faults), NoCustomer(folder=found.customers))
    nearest = difflib.get_close_matches(asked, names, n=1, cutoff=0)
    raise ResourceNotThere(asked=asked, nearest="".join(nearest), folder=found.customers)


def read_all(named: Path | None, *, may_be_missing: bool = False) -> Readings:
    """Return the settings of every resource, as far as they can be read, and every fault.

    An empty folder of customers is an installation of many, unless something is said of one
    resource; a settings file that may be missing is about to be written for one. Raises
    CustomersUnreadable, or CustomersGone.
    """
    reader, common = _common(named, may_be_missing=may_be_missing)
    folder, files = env_file.customers(common.env_file)
    is_for_many = bool(files) if may_be_missing else _is_for_many(files, common)
    hints.are_many(is_so=is_for_many)
    if not is_for_many:
        if files is None and not may_be_missing:
            _refuse_gone(common, folder, emitter_file.customers(common.settings.state))
        reading = reader.reading(common)
        return Readings(all=(reading,), common=reading)
    files = files or []
    reader.refuse_one_of_many(common.given, folder)
    found = [customer_file.read(file, common.given) for file in files]
    readings = [reading for customer in found for reading in _of_customer(reader, common, customer)]
    shared = customers.shared([reading.configuration for reading in readings])
    twins = customers.sharing_identity(found)
    return Readings(
        all=tuple(
            replace(
                reading,
                faults=(
                    *reading.faults,
                    *shared[reading.configuration.resource],
                    *twins[reading.configuration.resource.customer],
                ),
            )
            for reading in readings
        ),
        common=reader.reading(common),
        notes=_notes(found),
        broken={customer.name: customer.faults for customer in found if customer.faults},
        customers=folder,
    )


def _notes(found: list[Customer]) -> tuple[str, ...]:
    keeping = [customer.name for customer in found if customer.has_keep]
    if not keeping:
        return ()
    return (f"keep, of {some(keeping, _SHOWN)}, has no effect yet: every snapshot stays",)


def _is_for_many(files: list[Path] | None, common: Configuration) -> bool:
    """Return whether settings are of an installation of many customers, who may all have left."""
    return bool(files) or (files is not None and not SettingsReader.is_of_one(common.given))


def _refuse_gone(common: Configuration, folder: Path, customers: Collection[str]) -> None:
    """Raise CustomersGone where there are customers, and nothing is said of one directory.

    Their folder is not there for a moment, say, while something puts another in its place.
    """
    others = set(customers) - {common.resource.customer}
    if others and not SettingsReader.is_of_one(common.given):
        raise CustomersGone(folder=folder)


def read_draft(named: Path | None, path: Path, text: str) -> list[Configuration]:
    """Return the settings of each resource of a customer's file that will be at `path`.

    Raises what is wrong with them, or what they have in common with others' there.
    """
    reader, common = _common(named, may_be_missing=True)
    reader.refuse_one_of_many(common.given, path.parent)
    if path.parent.exists():
        env_file.refuse_unsafe_folder(path.parent)
    found = _in_order(path, common, text=text)
    made = [usable(reading) for reading in _of_customer(reader, common, found)]
    _, files = env_file.customers(common.env_file)
    others = [customer_file.read(file, common.given) for file in files or () if file != path]
    theirs = [one.configuration for other in others for one in _of_customer(reader, common, other)]
    faults, on_disk = customers.shared([*made, *theirs]), customers.on_disk([*made, *theirs])
    twins = customers.sharing_identity([found, *others])[found.name]
    found_faults = [*(f for one in made for f in (*faults[one.resource], *on_disk[one.resource]))]
    for fault in (*found_faults, *twins):
        raise fault
    return made


def by_operator(named: Path | None, found: Configuration) -> Configuration:
    """Return a customer's settings with the access key of the installation, where it has one.

    It may make repositories; the one in the customer's file need not.
    """
    _, common = _common(named, may_be_missing=True)
    own = common.settings
    if own.s3_access_key_id is None or own.s3_secret_access_key is None:
        return found
    keys = {
        "s3_access_key_id": own.s3_access_key_id,
        "s3_secret_access_key": own.s3_secret_access_key,
    }
    return replace(found, settings=found.settings.model_copy(update=keys))


def read_one(named: Path | None, resource: ResourceName) -> Configuration:
    """Return the settings of one resource, whatever other customers' files say.

    Hints go on naming what the command is about: a thread may ask. Raises what is wrong with them.
    """
    return usable(_read_one(named, resource))


def _read_one(
    named: Path | None, resource: ResourceName, *, is_secretless: bool = False
) -> Reading:
    reader, common = _common(named, may_be_missing=True, is_secretless=is_secretless)
    path = env_file.customers_folder(common.env_file) / f"{resource.customer}.toml"
    folder, files = env_file.customers(common.env_file)
    if not path.exists() and not _is_for_many(files, common):
        _refuse_gone(common, folder, {resource.customer})
        reading = reader.reading(common)
        return _chosen(Readings(all=(reading,), common=reading), str(resource))
    reader.refuse_one_of_many(common.given, path.parent)
    found = _in_order(path, common)
    for reading in _of_customer(reader, common, found):
        if reading.configuration.resource == resource:
            return reading
    raise ResourceNotThere(asked=resource, nearest=found.path, folder=path.parent)


def _in_order(path: Path, common: Configuration, *, text: str | None = None) -> Customer:
    """Return what a customer's file says, or will; raises the first of its faults."""
    found = customer_file.read(path, common.given, text=text)
    if found.faults:
        raise found.faults[0]
    return found


def _common(
    named: Path | None, *, may_be_missing: bool, is_secretless: bool = False
) -> tuple[SettingsReader, Configuration]:
    """Return what the environment and the settings file say."""
    reader = SettingsReader()
    path = env_file.locate(named)
    in_environment = reader.environment()
    may_be_missing = may_be_missing or not env_file.is_named(named)
    in_file = reader.file(path, may_be_missing=may_be_missing, is_secretless=is_secretless)
    reader.unknown -= in_environment.keys()
    given = {**(in_file or {}), **in_environment}
    return reader, Configuration(
        settings=reader.settings(given),
        given=given,
        env_file=path,
        has_file=in_file is not None,
        only_in_environment=_lacking(in_environment, in_file or {}),
    )


def _of_customer(
    common: SettingsReader, configuration: Configuration, customer: Customer
) -> Iterator[Reading]:
    """Yield the settings of each resource of a customer."""
    for given in customer.resources.values():
        reader = SettingsReader(common.lists)
        reader.faults, reader.unknown = list(common.faults), common.unknown - given.keys()
        whole = {**configuration.given, **given}
        settings = reader.settings(whole)
        yield reader.reading(
            replace(configuration, settings=settings, given=whole, customer_file=customer.path)
        )


def _lacking(given: Mapping[str, Given], others: Mapping[str, Given]) -> tuple[str, ...]:
    """Return the names of what is given here and not there, or there with another value."""
    return tuple(
        name
        for name, found in sorted(given.items())
        if name not in others or others[name].value != found.value
    )
