"""What is wrong with a customer or a resource that is not there yet, told of where it was said.

A draft of a customer's file has lines that no file has: a person is told of the option or of the
bundle that they came from.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from unstoppable.cli import settings_values
from unstoppable.domain.customer_errors import (
    BundleUnusable,
    CustomerFileInvalid,
    CustomerKeyInvalid,
    CustomerKeyMissing,
    CustomerKeyUnknown,
    OptionMissing,
    OptionUnusable,
)
from unstoppable.domain.errors import SecretUnreadable, UnstoppableError

_Command = TypeVar("_Command", bound=Callable[..., object])
_OPTIONS = {
    "name": "--title",
    "bucket": "--bucket",
    "access_key_id": "--access-key-id",
    "secret_access_key": "--secret-file",
    "password": "--password-file",
    "schedule": "--schedule",
}
_CERTIFICATES = re.compile(r"""(?m)^[ \t]*ca_file[ \t]*=[ \t]*["']([^"']*)["'].*\n?""")


class CronLine(click.ParamType[str]):
    """When backups are due."""

    name = "line"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return a schedule as it was written."""
        try:
            settings_values.schedule(value)
        except ValueError as error:
            self.fail(str(error.__cause__ or error), param, ctx)
        return str(value)


FILE = click.Path(path_type=Path)
_OF_NEW = (
    click.option(
        "--password-file", type=FILE, metavar="FILE", help="The file of the server's password."
    ),
    click.option(
        "--schedule", type=CronLine(), metavar="LINE", help="When backups are due, as a cron line."
    ),
    click.option("--bundle", type=FILE, metavar="FILE", help="A new tar file for another machine."),
    click.option("--dry-run", is_flag=True, help="Tell what would be made; change nothing."),
)


def of_new(command: _Command) -> _Command:
    """Give a command the options of a customer, or of a resource, that is added."""
    for option in reversed(_OF_NEW):
        command = option(command)
    return command


@contextmanager
def of_options(path: Path, former: str = "") -> Iterator[None]:
    """Have faults in what options add to a customer's file tell of the option.

    `former` is what the file at `path` says, nothing where it is not there.
    """
    try:
        yield
    except CustomerKeyInvalid as error:
        key = str(error.facts["name"]).rpartition(".")[2]
        if key in _OPTIONS and _is_added(error, path, former):
            option, reason = _OPTIONS[key], error.facts["reason"]
            raise OptionUnusable(option=option, reason=reason) from error
        raise
    except CustomerKeyMissing as error:
        key = str(error.facts["key"])
        if key in _OPTIONS and (not former or key == "password"):
            option, resource = _OPTIONS[key], error.facts["resource"]
            raise OptionMissing(option=option, resource=resource) from error
        raise
    except SecretUnreadable as error:
        key = str(error.facts["name"]).partition(" in ")[0].rpartition(".")[2]
        if key in _OPTIONS and (not former or key == "password"):
            reason = "cannot read {path}: {cause}".format(**error.facts)
            raise OptionUnusable(option=_OPTIONS[key], reason=reason) from error
        raise


@contextmanager
def of_bundle(bundle: Path, path: Path, former: str = "") -> Iterator[None]:
    """Have faults in what a bundle adds to a customer's file tell of the bundle."""
    try:
        yield
    except (CustomerKeyInvalid, CustomerKeyUnknown, CustomerFileInvalid) as error:
        if not _is_added(error, path, former):
            raise
        reason: object = error.facts.get("reason")
        if not isinstance(error, CustomerFileInvalid):
            reason = type(error)(**{**error.facts, "origin": "it"})
        raise BundleUnusable(path=bundle, reason=reason) from error


def without_certificates(text: str, files: Mapping[str, bytes]) -> str:
    """Return the text of a customer's file without the certificates that a bundle brings.

    They are looked at wherever settings are read, and not there yet.
    """
    return _CERTIFICATES.sub(lambda found: "" if found[1] in files else found[0], text)


def _is_added(error: UnstoppableError, path: Path, former: str) -> bool:
    """Return whether an error is about a line that a customer's file does not have."""
    place, _, line = str(error.facts.get("origin", error.facts.get("path"))).rpartition(" line ")
    if not former:
        return str(path) in {place, line}
    return place == str(path) and int(line) > len(former.splitlines())
