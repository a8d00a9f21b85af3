"""What every command has in common: how it speaks and which resource it is about."""

from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from unstoppable.domain.at import LATEST
from unstoppable.domain.errors import ResourceUnknown
from unstoppable.domain.names import ResourceName


@dataclass(slots=True, kw_only=True)
class Session:
    """What the options before the command say."""

    env_file: Path | None = None
    is_json: bool = False
    is_verbose: bool = False


class Verbatim(click.Command):
    """A command whose help is shown in the lines it was written in."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text."""
        del ctx
        for line in ["", *cleandoc(self.help or "").splitlines()]:
            formatter.write(f"  {line}".rstrip() + "\n")


class Speaking(Verbatim):
    """A command that takes `--json` after its name as well as before."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **options)
        as_json = click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_speak_json,
            help="Write the result as JSON, times in UTC.",
        )
        self.params.append(as_json)


def _speak_json(ctx: click.Context, _parameter: click.Parameter, wanted: object) -> None:
    if wanted:
        ctx.ensure_object(Session).is_json = True


resource_argument = click.argument("asked", metavar="[RESOURCE]", required=False)
"""`customer/resource`; may be left out where there is one."""


at_option = click.option(
    "--at", default=LATEST, metavar="latest|ID|DATE", help="Newest at or before a date."
)
"""Which snapshot."""


def check_resource(asked: str | None, configured: ResourceName) -> None:
    """Raise ResourceUnknown or NameInvalid unless the resource is the configured one."""
    if asked is not None and ResourceName.parse(asked) != configured:
        raise ResourceUnknown(asked=asked, configured=configured)
