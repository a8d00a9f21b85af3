"""A source as an argument, and what is seen of it before anything is made."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unstoppable.cli import settings_values
from unstoppable.cli.command import complete_folder
from unstoppable.cli.configuration import SOURCE_PASSWORD, Configuration, real
from unstoppable.domain import errors, names
from unstoppable.domain.customer_errors import SourceMissing
from unstoppable.domain.ftps import SCHEME, FtpsFolder
from unstoppable.domain.names import ResourceName

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Place(click.ParamType[Path | FtpsFolder]):
    """A folder of this machine, or of a server."""

    name = "dir"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | FtpsFolder:
        """Return a folder of a server, or what can only be one of this machine."""
        if isinstance(value, Path | FtpsFolder):
            return value
        text = str(value)
        if not text.startswith(SCHEME):
            return Path(text)
        try:
            return FtpsFolder.parse(text)
        except ValueError as error:
            # What was typed is not told: it may hold a password.
            self.fail(f"{SCHEME}…: {error}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Return what completes a folder of this machine."""
        return complete_folder(ctx, param, incomplete)


class NamedSource(click.ParamType[tuple[str, str]]):
    """A resource's name, and what is backed up."""

    name = "name=dir"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return a resource's name and what is backed up."""
        if isinstance(value, tuple):
            return value
        name, equals, source = str(value).partition("=")
        if not equals:
            self.fail("write NAME=DIR, such as www=/srv/www", param, ctx)
        try:
            found = str(settings_values.source(source))
            found.encode()
        except UnicodeEncodeError as error:
            raise errors.DirectoryUnwritable(path=source) from error
        except ValueError as error:
            # What was typed is not told: it may hold a password.
            reason = str(error).replace(SOURCE_PASSWORD, "--password-file")
            self.fail(f"{name}=…: {reason}", param, ctx)
        return names.name(name), found


def directory(asked: Path, resource: ResourceName) -> Path:
    """Return a directory that is to be backed up, by its real name.

    Raises DirectoryMissing, DirectoryUnwritable or SourceUnavailable.
    """
    found = real(asked)
    try:
        if not found.is_dir():
            raise errors.DirectoryMissing(path=asked)
        str(found).encode()
    except OSError as error:
        raise errors.SourceUnavailable(resource=resource, cause=error) from error
    except UnicodeEncodeError as error:
        raise errors.DirectoryUnwritable(path=found) from error
    return found


def look_at_source(configuration: Configuration) -> None:
    """See that what a customer has on this machine can be backed up.

    Raises SourceMissing, SourceInsideRepository, or what `directory` does.
    """
    source = configuration.source
    if not isinstance(source, Path):
        return
    try:
        directory(source, configuration.resource)
    except errors.DirectoryMissing as error:
        raise SourceMissing(resource=configuration.resource, path=source) from error
