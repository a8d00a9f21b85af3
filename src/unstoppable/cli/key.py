"""`unstoppable key`."""

import click

from unstoppable import engine
from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.settings import load
from unstoppable.cli.sheet import sheet
from unstoppable.runner import emitter_file, pins_file


@click.group()
def key() -> None:
    """Name the key, and keep it on paper."""


@key.command(cls=Speaking)
@resource_argument
@click.pass_obj
def fingerprint(session: Session, *, asked: str | None) -> int:
    """Show the name of the repository's key, which is no secret.

    Example:
      unstoppable key fingerprint

    Exit codes:
      0 shown    1 failed    2 wrong usage    12 broken pins file
    """
    installation = load(session.env_file, asked).installation()
    pins = pins_file.find(installation.pins_file, installation.resource)
    repository_key = installation.key.of_repository(installation.places(pins))
    name = engine.fingerprint(repository_key, installation.resource)
    if session.is_json:
        output.document({"resource": str(installation.resource), "key_fingerprint": name})
    else:
        output.data(name)
    return 0


@key.command(cls=Speaking)
@resource_argument
@click.pass_obj
def emitter(session: Session, *, asked: str | None) -> int:
    """Show who signs the customer's records, which is no secret.

    Another machine needs them to believe the records. The first backup makes the key.

    Example:
      unstoppable key emitter

    Exit codes:
      0 shown    1 failed    2 wrong usage
    """
    configuration = load(session.env_file, asked)
    customer = configuration.resource.customer
    found = emitter_file.find(configuration.settings.state, customer).emitter
    if session.is_json:
        output.document({"emitter": found.id, "public_key": found.public_key.hex()})
    else:
        output.data(f"emitter      {found.id}")
        output.data(f"public key   {found.public_key.hex()}")
    return 0


key.add_command(sheet)
