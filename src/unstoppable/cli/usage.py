"""Mistakes on the command line, in our words."""

import difflib

import click

from unstoppable.cli import output
from unstoppable.domain.text import printable


def complain(error: click.ClickException) -> None:
    """Tell what cannot be understood, and the nearest thing that can."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "unstoppable"
    match error:
        case click.NoSuchCommand():
            sentence = f"no such command '{error.command_name}'"
        case click.NoSuchOption():
            sentence = f"no such option '{error.option_name}'"
        case _:
            sentence = _lower(error.format_message())
    output.say(f"error: {printable(sentence)}")
    output.say(f"hint: {printable(_meant(error, path))}see `{path} --help`")


def _meant(error: click.ClickException, path: str) -> str:
    """Return what was most likely meant; empty where nothing comes near."""
    match error:
        case click.NoSuchCommand(ctx=click.Context(command=click.Group() as group) as context):
            near = difflib.get_close_matches(error.command_name, group.list_commands(context), n=1)
            return "".join(f"did you mean `{path} {name}`? " for name in near)
        case click.NoSuchOption(possibilities=[nearest, *_]):
            return f"did you mean {nearest}? "
        case click.UsageError() if "unexpected extra argument" in error.message:
            return "a value with spaces stands in quotes; "
        case _:
            return ""


def _lower(message: str) -> str:
    """Return click's sentence in the form of ours; what it lists comes on lines of its own."""
    message = " ".join(message.split())
    return message[:1].lower() + message[1:].rstrip(".")
