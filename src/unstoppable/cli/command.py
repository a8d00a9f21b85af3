"""What every command has in common: how it speaks and which resource it is about."""
# ruff: noqa: PLC0415 - what only a shell needs is imported when it asks

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unstoppable.domain.at import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

COMPLETE = "_UNSTOPPABLE_COMPLETE"
"""The variable by which a shell asks for completions."""


@dataclass(slots=True, kw_only=True)
class Session:
    """What the options before the command say."""

    env_file: Path | None = None
    is_json: bool = False
    is_verbose: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What whoever started this program handed over, by the settings' names."""
    sign: "Callable[[], None]" = lambda: None
    """Gives a sign of life to whoever started this program."""


class Verbatim(click.Command):
    """A command whose help is shown in the lines it was written in."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; a mistake in them is told as one of this command."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

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


def complete_resource(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Return what completes a resource's name."""
    from unstoppable.cli.completion import resources

    return resources(ctx.find_root().params.get("env_file"), incomplete)


def complete_customer(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Return what completes a customer's name."""
    from unstoppable.cli.completion import customers

    return customers(ctx.find_root().params.get("env_file"), incomplete)


def complete_folder(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Let the shell complete folders alone."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def complete_with(*words: str) -> "Callable[[click.Context, click.Parameter, str], list[str]]":
    """Return a function that completes one of some words."""
    return lambda _ctx, _parameter, begun: [word for word in words if word.startswith(begun)]


resource_argument = click.argument(
    "asked", metavar="[RESOURCE]", required=False, shell_complete=complete_resource
)
"""`customer/resource`; may be left out where there is one."""


complete_at = complete_with(LATEST)
at_option = click.option(
    "--at",
    default=LATEST,
    metavar="latest|ID|DATE",
    help="Newest at or before a date.",
    shell_complete=complete_at,
)
"""Which snapshot."""
