"""`unstoppable secrets`."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.planning import complain
from unstoppable.cli.settings import choose, read_all, usable
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.secret import Secret
from unstoppable.domain.secret_errors import InfisicalAway
from unstoppable.domain.text import count, printable
from unstoppable.secrets.reference import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A secret of a resource, and why it cannot be had."""

    resource: str
    name: str
    place: str
    error: UnstoppableError | None


@click.group()
def secrets() -> None:
    """Try the secrets that settings refer to."""


@secrets.command(cls=Speaking)
@resource_argument
@click.pass_obj
def check(session: Session, *, asked: str | None) -> int:
    """Tell of every secret whether it can be had; no secret is shown.

    Reads each as a run would, of every resource or of the one that is named.

    Example:
      unstoppable secrets check
      unstoppable secrets check acme/www

    Exit codes:
      0 all can be had    1 one cannot    2 wrong usage
    """
    readings = read_all(session.env_file)
    if asked is not None or readings.customers is None:
        found, has_fault = [usable(choose(readings, asked))], False
    else:
        has_fault = complain(session, readings)
        found = [reading.configuration for reading in readings.all if not reading.faults]
    tried = [one for configuration in found for one in _tried(configuration)]
    lacking = [one for one in tried if one.error is not None]
    if session.is_json:
        output.document([_document(one) for one in tried])
    else:
        _tell(session, tried, lacking)
        if readings.nobody:
            output.data(readings.nobody)
    return ExitCode.FAILED if lacking or has_fault else ExitCode.SUCCEEDED


def _tried(configuration: Configuration) -> Iterator[_Tried]:
    for name, given in configuration.given.items():
        if isinstance(given.value, str):
            continue
        yield _Tried(
            resource=str(configuration.resource),
            name=configuration.called(name),
            place=given.origin if isinstance(given.value, Literal) else str(given.value),
            error=_error(given.value),
        )


def _error(secret: Secret) -> UnstoppableError | None:
    try:
        secret.resolve()
    except UnstoppableError as error:
        return error
    return None


def _tell(session: Session, tried: list[_Tried], lacking: list[_Tried]) -> None:
    rows = [
        (one.resource, one.name, printable(one.place), "can be had" if one.error is None else "no")
        for one in tried
    ]
    output.table(("resource", "secret", "where", "result"), rows)
    away = {str(one.error): one.error for one in lacking if isinstance(one.error, InfisicalAway)}
    for error in away.values():
        output.complain(error, is_verbose=session.is_verbose)
    for one in lacking:
        if one.error is not None and not isinstance(one.error, InfisicalAway):
            output.complain(one.error, is_verbose=session.is_verbose)
    whole = count(len(tried), "secret")
    output.data(f"{whole}: {len(tried) - len(lacking)} can be had, {len(lacking)} cannot")


def _document(one: _Tried) -> dict[str, object]:
    return {
        "resource": one.resource,
        "secret": one.name,
        "where": one.place,
        "error": None if one.error is None else str(one.error),
    }
