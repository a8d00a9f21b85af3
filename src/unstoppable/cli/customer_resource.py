"""`unstoppable customer add-resource`, and how such a resource is taken from a bundle."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from unstoppable.cli import customer_draft, customer_making, customer_text, env_file, output
from unstoppable.cli.command import Session, Speaking, complete_customer
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.customer_file import text_of
from unstoppable.cli.customer_text import NewResource
from unstoppable.cli.place import NamedSource
from unstoppable.cli.settings import read_draft
from unstoppable.domain import names, toml
from unstoppable.domain.customer_errors import (
    BundleInvalid,
    CustomerFileChanging,
    CustomerNotImported,
    CustomerNotThere,
    ResourceExists,
    ResourceImported,
    ResourceOther,
)
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins, PinsMalformed, read_pins
from unstoppable.domain.text import printable
from unstoppable.runner import bundle as bundles
from unstoppable.runner import pins_file
from unstoppable.runner.bundle import Bundle
from unstoppable.runner.customer_setup import KEY_SUFFIX

_TRIES = 5
"""To write a file that others write as well."""


@click.command("add-resource", cls=Speaking)
@click.argument("name", shell_complete=complete_customer)
@click.argument("resource", type=NamedSource(), metavar="NAME=DIR")
@customer_draft.of_new
@click.pass_obj
def add_resource(  # noqa: PLR0913 - one for each option
    session: Session,
    *,
    name: str,
    resource: tuple[str, str],
    password_file: Path | None,
    schedule: str | None,
    bundle: Path | None,
    dry_run: bool,
) -> int:
    """Have one more resource of a customer backed up.

    DIR may be ftps://USER@HOST/PATH. Makes its key of the customer's root secret, its repository
    and pins, and writes it to the end of the customer's file, in which all else stays as it is.

    Where the root secret is not, because backups are made there alone, it is refused: do it where
    the customer was added, with --bundle, and `unstoppable customer import` takes the tar file to
    the backup machine.

    Interrupted, it goes on with the same command, and that writes a bundle again which was lost.

    Example:
      unstoppable customer add-resource acme shop=/srv/acme/shop --schedule "17 3 * * *"
      unstoppable customer add-resource acme shop=/srv/acme/shop --bundle shop.tar

    Exit codes:
      0 added    1 failed    2 wrong usage, no root secret, or there is such a resource
      11 another run is going on    12 wrong key or broken pin
    """
    folder, _ = env_file.customers(env_file.locate(session.env_file))
    path = folder / f"{names.name(name)}.toml"
    if not customer_making.has_file(path):
        raise CustomerNotThere(name=name, folder=folder)
    customer_making.refuse_unfit(bundle, password_file, [resource[1]])
    new = NewResource(
        name=ResourceName(customer=name, resource=resource[0]),
        source=resource[1],
        password=customer_text.reference_to(password_file),
        schedule=schedule,
    )
    if bundle is not None:
        bundles.refuse_other(bundle, name, new.name.resource)
    table, former = customer_text.table_of(new), text_of(path)
    if bundle is not None and _has(former, new.name):
        return _bundle_again(session, new, path, bundle, former, dry_run=dry_run)
    with customer_draft.of_options(path, former):
        made, _ = _drafted(session, path, new.name, table, former)
        making = customer_making.look_further(
            session.env_file, made, folder / name, is_elsewhere=bundle is not None
        )
    if dry_run:
        return customer_making.tell(session, making, [f"{new.name} in {path}"], bundle)

    def finish() -> None:
        if bundle is not None:
            _write_bundle(new, made, path, bundle)
        _write(session, path, new.name, table)

    customer_making.make_further(making, finish)
    return _tell(session, new.name, path, bundle, customer_making.lacking([made]))


def _bundle_again(  # noqa: PLR0913 - what the command was given
    session: Session, new: NewResource, path: Path, bundle: Path, text: str, *, dry_run: bool
) -> int:
    """Write the bundle of a resource that is there, and of which the file says nothing else.

    `text` is what the file at `path` says. Raises ResourceOther, or what is in the way.
    """
    made = read_draft(session.env_file, path, text)
    if not _is_taken(text, new.name, customer_text.table_of(new)):
        raise ResourceOther(resource=new.name, path=path)
    if not dry_run:
        own = next(one for one in made if one.resource == new.name)
        _write_bundle(new, own, path, bundle)
    return customer_making.tell_again(session, new.name, bundle, dry_run=dry_run)


def _write_bundle(new: NewResource, made: Configuration, path: Path, bundle: Path) -> None:
    key = path.with_suffix("") / f"{new.name.resource}{KEY_SUFFIX}"
    bundles.write(bundle, customer_text.bundle_of_resource(new, made, key))


def take(session: Session, found: Bundle, bundle: Path, path: Path, *, dry_run: bool) -> int:
    """Take a further resource of a customer from a bundle; the customer's file is at `path`."""
    resource = ResourceName(customer=found.customer, resource=str(found.resource))
    if not customer_making.has_file(path):
        raise CustomerNotImported(name=found.customer, folder=path.parent)
    pins, table = _pins(found, resource, bundle), found.files[found.table].decode()
    former, kept = text_of(path), path.with_suffix(".pins.json")
    new = [path.parent / name for name in found.files if name not in found.merged]
    if _is_taken(former, resource, table) and pins_file.find(kept, resource) == pins:
        if dry_run:
            return customer_making.tell_files(session, new)
        bundles.unpack(found, path.parent)
        return _tell_taken(session, resource, path, bundle)
    # Before anything of it is written.
    pins_file.refuse_other(kept, resource, pins)
    with customer_draft.of_bundle(bundle, path, former), _imported(resource, path):
        seen = customer_draft.without_certificates(table, found.files)
        _drafted(session, path, resource, seen, former)
    if dry_run:
        return customer_making.tell_files(session, [*new, kept, path], merged=(kept, path))
    bundles.unpack(found, path.parent)
    with customer_draft.of_bundle(bundle, path, former), _imported(resource, path):
        made, _ = _drafted(session, path, resource, table, former)
    with customer_making.alone(made.settings.hot, made.resource):
        pins_file.add(made.pins_file, resource, pins)
        with _imported(resource, path):
            _write(session, path, resource, table)
    return _tell_taken(session, resource, path, bundle)


@contextmanager
def _imported(resource: ResourceName, path: Path) -> Iterator[None]:
    """Have a resource that is there told as one that was imported."""
    try:
        yield
    except ResourceExists as error:
        raise ResourceImported(resource=resource, path=path) from error


def _is_taken(text: str, resource: ResourceName, table: str) -> bool:
    """Return whether a customer's file says of a resource what a bundle or options do."""
    found = _resources(table)
    return bool(found) and _resources(text).get(resource.resource) == found[resource.resource]


def _has(text: str, resource: ResourceName) -> bool:
    return resource.resource in _resources(text)


def _resources(text: str) -> dict[str, Any]:
    """Return the tables of a customer's file; of a broken one none, whoever reads it tells why."""
    try:
        found = toml.parse(text).get("resources")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tell_taken(session: Session, resource: ResourceName, path: Path, bundle: Path) -> int:
    if session.is_json:
        output.document({"resources": [str(resource)], "file": path})
        return 0
    output.data(f"imported: {resource} in {printable(str(path))}")
    output.say(f"note: `unstoppable config check {resource}` tells whether all is in order")
    output.say(f"note: delete {printable(str(bundle))}: it holds the keys")
    return 0


def _write(session: Session, path: Path, resource: ResourceName, table: str) -> None:
    """Write a resource's table to the end of a customer's file, as somebody may have left it.

    Raises what is wrong with it, CustomerNotThere, or CustomerFileChanging.
    """
    for _ in range(_TRIES):
        if not customer_making.has_file(path):
            raise CustomerNotThere(name=resource.customer, folder=path.parent)
        former = text_of(path)
        _, text = _drafted(session, path, resource, table, former)
        with suppress(customer_making.Edited):
            customer_making.write(path, text, former=former)
            return
    raise CustomerFileChanging(path=path)


def _drafted(
    session: Session, path: Path, resource: ResourceName, table: str, former: str
) -> tuple[Configuration, str]:
    """Return the settings of a resource whose table comes to a customer's file, and its text."""
    text = customer_text.with_table(former, resource, table, path)
    made = read_draft(session.env_file, path, text)
    return next(one for one in made if one.resource == resource), text


def _pins(found: Bundle, resource: ResourceName, bundle: Path) -> Pins:
    try:
        pins = read_pins(found.files[found.pins].decode())
    except (PinsMalformed, UnicodeDecodeError) as error:
        raise BundleInvalid(path=bundle, reason=error) from error
    if pins.keys() != {resource}:
        raise BundleInvalid(path=bundle, reason=f"its pins are not those of {resource} alone")
    return pins[resource]


def _tell(
    session: Session,
    resource: ResourceName,
    path: Path,
    bundle: Path | None,
    lacking: Sequence[str],
) -> int:
    if session.is_json:
        output.document({"resources": [str(resource)], "file": path, "bundle": bundle})
        return 0
    output.data(f"added: {resource} in {printable(str(path))}")
    output.say(f"note: `unstoppable key sheet {resource}` writes the recovery sheet to print")
    if bundle is not None:
        customer_making.tell_way(bundle, lacking)
    return 0
