"""`unstoppable customer`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from unstoppable.cli import (
    customer_draft,
    customer_making,
    customer_resource,
    customer_text,
    env_file,
    output,
)
from unstoppable.cli.command import Session, Speaking, complete_customer
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.customer_file import text_of
from unstoppable.cli.customer_list import listed
from unstoppable.cli.customer_text import NewCustomer
from unstoppable.cli.place import NamedSource
from unstoppable.cli.settings import Readings, read_all, read_draft
from unstoppable.domain import names, toml
from unstoppable.domain.customer_errors import (
    CustomerExists,
    CustomerImported,
    CustomerNotThere,
    CustomerOther,
)
from unstoppable.domain.errors import FolderUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import PinsMalformed, read_pins
from unstoppable.domain.text import count, printable
from unstoppable.runner import customer_setup, pins_file
from unstoppable.runner.bundle import Bundle, refuse_other, unpack
from unstoppable.runner.bundle import read as read_bundle
from unstoppable.runner.bundle import write as write_bundle
from unstoppable.runner.run import now


@click.group()
def customer() -> None:
    """Add, list and remove customers."""


customer.add_command(listed)
customer.add_command(customer_resource.add_resource)


@customer.command(cls=Speaking)
@click.argument("name")
@click.option(
    "--resource",
    "resources",
    type=NamedSource(),
    multiple=True,
    required=True,
    metavar="NAME=DIR",
    help="What is backed up; DIR may be ftps://USER@HOST/PATH.",
)
@click.option("--title", metavar="TEXT", help="How people call the customer.")
@click.option("--bucket", metavar="NAME", help="Keep the backups in this bucket of the customer.")
@click.option("--access-key-id", metavar="ID", help="The access key of backups into it.")
@click.option(
    "--secret-file", type=customer_draft.FILE, metavar="FILE", help="The file of that key's secret."
)
@customer_draft.of_new
@click.pass_obj
def add(
    session: Session,
    /,
    *,
    name: str,
    bundle: Path | None,
    dry_run: bool,
    **wanted: Any,  # noqa: ANN401 - click's own
) -> int:
    """Add a customer: keys, repositories, pins and a file.

    Makes a root secret for the customer, and of it a key for each resource. Best done on your own
    machine, with --bundle: the tar file holds what the backup machine needs, and no root secret;
    `unstoppable customer import` takes it there. On the backup machine itself it works too; then
    whoever takes that over has the root secret as well, until you move it away.

    In a bucket the repositories are made with the access key of the settings, UNSTOPPABLE_S3_…,
    where there is one: that of --access-key-id then needs no more than backups do.

    A directory has to be there, unless --bundle says that it is another machine's. Interrupted, it
    goes on with the same command, and that writes a bundle again which was lost.

    Example:
      unstoppable customer add acme --resource www=/srv/acme/www --resource mail=/srv/acme/mail
      unstoppable customer add acme --resource www=/srv/acme/www --bundle acme.tar

    Exit codes:
      0 added    1 failed    2 wrong usage, or there is such a customer
      11 another run is going on    12 wrong key or broken pin
    """
    folder, _ = env_file.customers(env_file.locate(session.env_file))
    path = folder / f"{names.name(name)}.toml"
    new = _new(name, bundle, **wanted)
    if customer_making.has_file(path):
        return _bundle_again(session, new, path, bundle, dry_run=dry_run)
    own = folder / name
    with customer_draft.of_options(path):
        made = read_draft(session.env_file, path, customer_text.toml_of(new))
        is_elsewhere = bundle is not None
        customer_making.look_at_secrets(made, is_new=True, is_elsewhere=is_elsewhere)
        making = customer_making.look(session.env_file, made, own, is_elsewhere=is_elsewhere)
    if dry_run:
        files = [f"the customer's file {path}"]
        return customer_making.tell(session, making, files, bundle)
    customer_making.make(making)
    _finish(new, made[0], path, bundle)
    return _tell(session, own, made, bundle, customer_making.lacking(made, new))


def _new(
    name: str,
    bundle: Path | None,
    *,
    resources: Sequence[tuple[str, str]],
    secret_file: Path | None,
    password_file: Path | None,
    **more: str | None,
) -> NewCustomer:
    """Return what options say of a customer; raises what is wrong with them alone."""
    sources = dict(resources)
    if len(sources) < len(resources):
        raise click.UsageError("one resource is named twice")
    if bundle is not None:
        refuse_other(bundle, name)
    customer_making.refuse_unfit(bundle, password_file, sources.values())
    return NewCustomer(
        name=name,
        resources=sources,
        secret_access_key=customer_text.reference_to(secret_file),
        password=customer_text.reference_to(password_file),
        title=more["title"],
        bucket=more["bucket"],
        access_key_id=more["access_key_id"],
        schedule=more["schedule"],
    )


def _bundle_again(
    session: Session, new: NewCustomer, path: Path, bundle: Path | None, *, dry_run: bool
) -> int:
    """Write the bundle of a customer who is there, and whose file says nothing else.

    Raises CustomerExists, or what is in the way.
    """
    if bundle is None:
        raise CustomerExists(name=new.name, path=path)
    text = text_of(path)
    made = read_draft(session.env_file, path, text)
    if toml.parse(text) != toml.parse(customer_text.toml_of(new)):
        raise CustomerOther(name=new.name, path=path)
    if not dry_run:
        _write_bundle(new, made[0], path, bundle)
    return customer_making.tell_again(session, new.name, bundle, dry_run=dry_run)


def _write_bundle(new: NewCustomer, made: Configuration, path: Path, bundle: Path) -> None:
    own = path.with_suffix("")
    keys = [own / f"{name}{customer_setup.KEY_SUFFIX}" for name in new.resources]
    write_bundle(bundle, customer_text.bundle_of(new, made, path.parent, keys))


def _finish(new: NewCustomer, made: Configuration, path: Path, bundle: Path | None) -> None:
    """Write a bundle and then the customer's file: until that is there, the command goes on."""
    with customer_making.alone(made.settings.hot, made.resource):
        # Somebody may have added the same one meanwhile.
        if customer_making.has_file(path):
            raise CustomerExists(name=new.name, path=path)
        if bundle is not None:
            _write_bundle(new, made, path, bundle)
        try:
            customer_making.write_first(path, customer_text.toml_of(new))
        except FileExistsError as error:
            raise CustomerExists(name=new.name, path=path) from error


@customer.command("import", cls=Speaking)
@click.argument("bundle", metavar="BUNDLE", type=customer_draft.FILE)
@click.option("--dry-run", is_flag=True, help="Tell what would be written; change nothing.")
@click.pass_obj
def take(session: Session, *, bundle: Path, dry_run: bool) -> int:
    """Take a customer from a bundle, where backups are made.

    Puts the customer's file, pins and keys beside this user's settings file. Nothing that is there
    is overwritten; what is not exactly a bundle, or cannot be used here, is refused. A bundle of
    `unstoppable customer add-resource` adds its resource to the customer's file that is there.

    Interrupted, it goes on with the same command; a bundle that was taken whole may be taken again.

    Example:
      unstoppable customer import acme.tar

    Exit codes:
      0 imported    1 failed    2 wrong usage, no bundle, or there is such a customer
      11 another run is going on
    """
    folder, _ = env_file.customers(env_file.locate(session.env_file))
    found = read_bundle(bundle)
    path = folder / found.customer_file
    if found.resource is not None:
        return customer_resource.take(session, found, bundle, path, dry_run=dry_run)
    text = found.files[found.customer_file].decode(errors="replace")
    is_taken = customer_making.has_file(path)
    if is_taken and not _is_taken(found, path, text):
        raise CustomerImported(name=found.customer, path=path)
    with customer_draft.of_bundle(bundle, path):
        seen = customer_draft.without_certificates(text, found.files)
        made = read_draft(session.env_file, path, seen)
    if dry_run:
        return customer_making.tell_files(session, [folder / name for name in found.files])
    unpack(found, folder)
    if is_taken:
        return _tell_imported(session, made, bundle)
    with customer_draft.of_bundle(bundle, path):
        made = read_draft(session.env_file, path, text)
    try:
        with customer_making.alone(made[0].settings.hot, made[0].resource):
            customer_making.write_first(path, text)
    except FileExistsError as error:
        raise CustomerImported(name=found.customer, path=path) from error
    return _tell_imported(session, made, bundle)


@customer.command(cls=Speaking)
@click.argument("name", shell_complete=complete_customer)
@click.option("--dry-run", is_flag=True, help="Tell what would stay; change nothing.")
@click.pass_obj
def remove(session: Session, *, name: str, dry_run: bool) -> int:
    """Back up a customer no more; no backup is deleted.

    The customer's file is renamed, so that nothing reads it; keys and pins stay, and with them
    everything can be restored once the file has its name again. Refused while a run of the
    customer is going on.

    Example:
      unstoppable customer remove acme

    Exit codes:
      0 removed    1 failed    2 wrong usage, or there is no such customer
      11 a run of the customer is going on
    """
    folder, _ = env_file.customers(env_file.locate(session.env_file))
    path = folder / f"{names.name(name)}.toml"
    if not customer_making.has_file(path):
        raise CustomerNotThere(name=name, folder=folder)
    aside = path.with_name(f"{path.name}.removed-{now():%Y%m%d-%H%M%S}")
    readings = read_all(session.env_file)
    known = [reading.configuration for reading in readings.all]
    stays = [
        f"{one.resource} in {printable(str(one.cold))}"
        for one in known
        if one.resource.customer == name
    ]
    left = ({one.resource.customer for one in known} | readings.broken.keys()) - {name}
    if not dry_run:
        _put_aside(path, aside, readings)
    if session.is_json:
        output.document({"customer": name, "file": aside, "stays": stays, "dry_run": dry_run})
        return 0
    word = "would be" if dry_run else "is"
    output.data(f"{name} {word} backed up no more; every backup stays, for as long as you keep it:")
    for line in stays:
        output.data(f"  {line}")
    output.say(f"note: to restore, rename {aside} to {path.name} again; keys and pins are there")
    if not left:
        output.say("note: nobody is left to back up: `unstoppable schedule remove` ends its calls")
    return 0


def _is_taken(found: Bundle, path: Path, text: str) -> bool:
    """Return whether a customer's file and pins are those of a bundle."""
    pins = found.files.get(path.with_suffix(".pins.json").name, b"")
    try:
        kept = read_pins(pins.decode())
    except (PinsMalformed, UnicodeDecodeError):
        return False
    return pins_file.everything(path.with_suffix(".pins.json")) == kept and text_of(path) == text


def _put_aside(path: Path, aside: Path, readings: Readings) -> None:
    """Rename a customer's file while nobody runs or writes for the customer.

    Else a resource that is just added would bring the file back. Raises Busy or FolderUnusable.
    """
    of_nobody = ResourceName(customer=path.stem, resource=path.stem)
    known = (reading.configuration.resource for reading in readings.all)
    resource = next((one for one in known if one.customer == path.stem), of_nobody)
    hot = readings.common.configuration.settings.hot
    with customer_making.alone(hot, resource):
        try:
            path.rename(aside)
        except OSError as error:
            raise FolderUnusable(path=path, cause=error.strerror) from error


def _tell_imported(session: Session, made: list[Configuration], bundle: Path) -> int:
    if session.is_json:
        resources = [str(configuration.resource) for configuration in made]
        output.document({"resources": resources, "file": made[0].customer_file})
        return 0
    told = f"{count(len(made), 'resource')} of {made[0].resource.customer}"
    output.data(f"imported: {told} in {printable(str(made[0].customer_file))}")
    for one in made:
        output.say(f"note: `unstoppable config check {one.resource}` tells whether all is in order")
    output.say(f"note: delete {printable(str(bundle))}: it holds the keys")
    return 0


def _tell(
    session: Session,
    own: Path,
    made: list[Configuration],
    bundle: Path | None,
    lacking: Sequence[str],
) -> int:
    resources = [str(configuration.resource) for configuration in made]
    if session.is_json:
        document = {"resources": resources, "file": made[0].customer_file, "keys": own}
        output.document({**document, "bundle": bundle})
        return 0
    told = f"{count(len(made), 'resource')} of {made[0].resource.customer}"
    output.data(f"added: {told} in {printable(str(made[0].customer_file))}")
    root = printable(str(own / customer_setup.ROOT))
    if bundle is None:
        output.say(
            f"note: whoever takes this machine over has {root}, and so every key of "
            f"{made[0].resource.customer}, later ones too: move it away, backups need the other "
            "files there alone"
        )
    else:
        output.say(f"note: {root} is the root secret: keep it, on no backup machine")
    for resource in resources:
        output.say(f"note: `unstoppable key sheet {resource}` writes the recovery sheet to print")
    if bundle is not None:
        customer_making.tell_way(bundle, lacking)
    return 0
