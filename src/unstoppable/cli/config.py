"""`unstoppable config`."""

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking
from unstoppable.cli.settings import NAMES, PREFIX, Configuration, load
from unstoppable.domain.text import printable
from unstoppable.secrets.reference import InFile


@click.group()
def config() -> None:
    """Show the settings and where each comes from."""


@config.command(cls=Speaking)
@click.pass_obj
def show(session: Session) -> int:
    """Show every setting and where it comes from; no secret is shown.

    Example:
      unstoppable config show

    Exit codes:
      0 shown    2 wrong usage
    """
    configuration = load(session.env_file)
    rows = [(name, *_value_and_origin(configuration, name)) for name in NAMES]
    if session.is_json:
        output.document({name: {"value": value, "origin": origin} for name, value, origin in rows})
    else:
        shown = [(name, printable(value), printable(origin)) for name, value, origin in rows]
        output.table(("setting", "value", "from"), shown)
    return 0


def _value_and_origin(configuration: Configuration, name: str) -> tuple[str, str]:
    given = configuration.given.get(name)
    value = getattr(configuration.settings, name.removeprefix(PREFIX).lower())
    if given is None:
        return _text(value), "default"
    if isinstance(given.value, str):
        return _text(value), given.origin
    shown = f"in {given.value.path}" if isinstance(given.value, InFile) else "set, not shown"
    return shown, given.origin


def _text(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value}%"
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
