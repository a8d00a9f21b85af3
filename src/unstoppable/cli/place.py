"""A source as an argument."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unstoppable.cli.command import complete_folder
from unstoppable.domain.ftps import SCHEME, FtpsFolder

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
