"""`unstoppable config`."""
# ruff: noqa: PLC0415 - what the settings mean is imported when it is told, so that help is quick

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.config_check import check
from unstoppable.cli.configuration import PREFIX, Configuration
from unstoppable.cli.settings import load
from unstoppable.domain import amounts
from unstoppable.domain.errors import OutputFailed
from unstoppable.domain.ftps import pin_text
from unstoppable.domain.outlook_errors import FileIsThere
from unstoppable.domain.text import printable
from unstoppable.runner.files import write_new
from unstoppable.secrets.reference import InFile

if TYPE_CHECKING:
    from unstoppable.cli.told import Told


@click.group()
def config() -> None:
    """Write, check and show the settings."""


config.add_command(check)


@config.command(cls=Speaking)
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="FILE", help="A new file, for you alone."
)
@click.pass_obj
def generate(session: Session, *, to: Path | None) -> int:
    """Write a settings file that explains every setting.

    It sets none of them and holds no secret.

    Example:
      unstoppable config generate
      unstoppable config generate --to /etc/unstoppable/.env

    Exit codes:
      0 written    1 failed    2 wrong usage, or FILE is there
    """
    from unstoppable.cli.settings_model import TOLD
    from unstoppable.cli.settings_text import explained

    if to is not None:
        _write_new(to, explained())
        if session.is_json:
            output.document({"written": printable(str(to))})
        else:
            output.data(f"written: {printable(str(to))}; nothing is set in it yet")
    elif session.is_json:
        output.document({name: _told(told) for name, told in TOLD.items()})
    else:
        output.stream([explained()])
    return 0


def _write_new(path: Path, text: str) -> None:
    try:
        write_new(path, [text.encode()])
    except FileExistsError as error:
        raise FileIsThere(path=path) from error
    except OSError as error:
        raise OutputFailed(cause=f"{path}: {error.strerror}") from error


def _told(told: "Told") -> dict[str, object]:
    return {"meaning": told.meaning, "default": told.default, "example": told.example}


@config.command(cls=Speaking)
def schema() -> int:
    """Print the JSON schema of a customer's file, for editors.

    Example:
      unstoppable config schema > customer.schema.json

    Exit codes:
      0 printed    2 wrong usage
    """
    from unstoppable.cli.customer_model import CustomerFile

    output.document(CustomerFile.model_json_schema())
    return 0


@config.command(cls=Speaking)
@resource_argument
@click.pass_obj
def show(session: Session, *, asked: str | None) -> int:
    """Show every setting and where it comes from; no secret is shown.

    Example:
      unstoppable config show

    Exit codes:
      0 shown    2 wrong usage
    """
    from unstoppable.cli.settings_model import NAMES

    configuration = load(session.env_file, asked)
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
        return _text(name, value), "default"
    if isinstance(given.value, str):
        return _text(name, value), given.origin
    shown = f"in {given.value.path}" if isinstance(given.value, InFile) else "set, not shown"
    return shown, given.origin


def _text(name: str, value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return _FORMS.get(name, str)(value)


_FORMS: dict[str, Callable[[Any], str]] = {
    "UNSTOPPABLE_MAX_SHRINK": "{}%".format,
    "UNSTOPPABLE_S3_BANDWIDTH": amounts.bandwidth_text,
    "UNSTOPPABLE_SOURCE_BANDWIDTH": amounts.bandwidth_text,
    "UNSTOPPABLE_SOURCE_PIN": pin_text,
    "UNSTOPPABLE_SOURCE_REREAD": "{}d".format,
    "UNSTOPPABLE_SOURCE_MAX_BYTES": amounts.written,
    "UNSTOPPABLE_MAX_RUNTIME": "{}h".format,
}
"""How values are written where it is not the way they are kept."""
