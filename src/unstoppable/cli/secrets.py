"""`unstoppable secrets`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import click

from unstoppable import engine
from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import KEYS, SOURCE_PASSWORD, Configuration
from unstoppable.cli.customers import pairs
from unstoppable.cli.planning import usable_ones
from unstoppable.cli.settings import read_all
from unstoppable.domain.customer_errors import KeyShared
from unstoppable.domain.errors import KeyInvalid, Refused, UnstoppableError
from unstoppable.domain.ftps import password
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.s3 import credential
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
    fingerprint: str | None = None
    """Which key it is, of a repository's alone."""


@click.group()
def secrets() -> None:
    """Try the secrets that settings refer to."""


@secrets.command(cls=Speaking)
@resource_argument
@click.pass_obj
def check(session: Session, *, asked: str | None) -> int:
    """Tell of every secret whether it can be used; no secret is shown.

    Reads each as a run would, of every resource or of the one that is named, and looks whether it
    has the form of a key, of half an access key, or of a password, and no two keys are the same.

    Example:
      unstoppable secrets check
      unstoppable secrets check acme/www

    Exit codes:
      0 all can be used    1 one cannot    2 wrong usage
    """
    readings = read_all(session.env_file)
    found, has_fault = usable_ones(session, readings, asked)
    tried = _without_twins([one for each in found for one in _tried(each)])
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
        called, resource = configuration.called(name), configuration.resource
        error = fingerprint = None
        try:
            fingerprint = _looked_at(configuration, name, given.value)
        except UnstoppableError as found:
            error = found
        yield _Tried(
            resource=str(resource),
            name=called,
            place=given.origin if isinstance(given.value, Literal) else str(given.value),
            error=error,
            fingerprint=fingerprint,
        )


def _looked_at(configuration: Configuration, name: str, secret: Secret) -> str | None:
    """Return the fingerprint of a repository's key; raises what is wrong with any secret."""
    called = configuration.called(name)
    if name in KEYS:
        installation = configuration.installation()
        key = installation.key.of_repository(installation.places(None))
        try:
            return engine.fingerprint(key, installation.resource)
        except Refused as error:
            reason, digits = error.facts["cause"], KEYS[name].value * 2
            raise KeyInvalid(name=called, reason=reason, digits=digits) from error
    text = secret.resolve()
    if name == SOURCE_PASSWORD:
        password(text, name=called)
    else:
        credential(text, name=called)
    return None


def _without_twins(tried: list[_Tried]) -> list[_Tried]:
    """Return the same, and of two repositories with one key that neither can be used."""
    by_key: dict[str, list[_Tried]] = defaultdict(list)
    for one in tried:
        if one.fingerprint is not None:
            by_key[one.fingerprint].append(one)
    twins: dict[int, UnstoppableError] = {}
    for same in by_key.values():
        places = {one.resource: one.place for one in same}
        shared = pairs(places)
        for one in same:
            if pair := shared.get(one.resource):
                first, other = pair
                twins[id(one)] = KeyShared(one=first, other=other, reference=places[other])
    return [replace(one, error=twins.get(id(one), one.error)) for one in tried]


def _tell(session: Session, tried: list[_Tried], lacking: list[_Tried]) -> None:
    rows = [
        (one.resource, one.name, printable(one.place), "can be used" if one.error is None else "no")
        for one in tried
    ]
    output.table(("resource", "secret", "where", "result"), rows)
    errors = {str(one.error): one.error for one in lacking if one.error is not None}
    # What is away for all is told first.
    for error in sorted(errors.values(), key=lambda found: not isinstance(found, InfisicalAway)):
        output.complain(error, is_verbose=session.is_verbose)
    whole = count(len(tried), "secret")
    output.data(f"{whole}: {len(tried) - len(lacking)} can be used, {len(lacking)} cannot")


def _document(one: _Tried) -> dict[str, object]:
    return {
        "resource": one.resource,
        "secret": one.name,
        "where": one.place,
        "error": None if one.error is None else str(one.error),
    }
