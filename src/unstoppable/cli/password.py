"""The password of a server, asked for where no setting gives it."""
# ruff: noqa: PLC0415 - what asks is imported when it asks

import sys
from dataclasses import replace

import click

from unstoppable.cli.configuration import SOURCE_PASSWORD, Configuration, Given
from unstoppable.domain import ftps
from unstoppable.domain.text import printable
from unstoppable.secrets.reference import Literal


def with_password(configuration: Configuration) -> Configuration:
    """Return the settings with a password for their server, if there is somebody to ask.

    Raises PasswordInvalid. Where nobody is at a terminal, whoever needs it says that it is missing.
    """
    given = configuration.given
    if SOURCE_PASSWORD in given or not configuration.is_on_server or not sys.stdin.isatty():
        return configuration
    typed = _ask(printable(str(configuration.source)))
    secret = Literal(ftps.password(typed, name=SOURCE_PASSWORD))
    return replace(
        configuration,
        settings=configuration.settings.model_copy(update={"source_password": secret}),
        given={**given, SOURCE_PASSWORD: Given(value=secret, origin="the terminal")},
    )


def _ask(source: str) -> str:
    from getpass import getpass

    try:
        return getpass(f"password for {source}: ", stream=sys.stderr)
    except (EOFError, UnicodeDecodeError) as error:
        raise click.Abort from error
