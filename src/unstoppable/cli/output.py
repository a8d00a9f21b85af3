"""How commands speak: data on stdout, talk on stderr."""

import json
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from unstoppable.cli import hints
from unstoppable.domain.errors import OutputFailed, UnstoppableError
from unstoppable.domain.snapshot import Issue
from unstoppable.domain.text import printable

ISSUES_SHOWN = 10


def data(text: str) -> None:
    """Write what was asked for.

    A reader who left, as in `| head`, changes nothing about the work or its exit code.
    Raises OutputFailed.
    """
    stream([f"{text}\n"])


def stream(chunks: Iterable[str | bytes]) -> None:
    """Write what was asked for as it comes, until the reader leaves; raises OutputFailed."""
    if sys.stdout is None:
        raise OutputFailed(cause="standard output is closed")
    for chunk in chunks:
        try:
            click.echo(chunk, nl=False)
            sys.stdout.flush()
        except OSError as error:
            # What Python still holds for stdout goes nowhere, or it would complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                return
            raise OutputFailed(cause=error.strerror) from error


def document(found: Any) -> None:  # noqa: ANN401 - anything JSON knows
    """Write a value as JSON; times in UTC."""
    data(json.dumps(found, indent=2, default=_plain))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows under their columns; nothing for no rows."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        data("  ".join(cells).rstrip())


def say(text: str) -> None:
    """Tell a person; somebody who no longer listens stops nothing."""
    try:
        click.echo(hints.said(text), err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def complain(error: UnstoppableError, *, is_verbose: bool = False) -> None:
    """Tell what went wrong and what to do; verbose also where in the program."""
    if is_verbose:
        say("".join(traceback.format_exception(error)).rstrip())
    say(f"error: {printable(str(error))}")
    say(f"hint: {printable(hints.of(error))}")


def fault(found: UnstoppableError) -> dict[str, object]:
    """Return what is wrong, and what to do, for JSON."""
    return {
        "kind": type(found).__name__,
        "message": printable(str(found)),
        "hint": printable(hints.of(found)),
        "exit_code": found.exit_code,
    }


def issues(found: Sequence[Issue], total: int) -> None:
    """Tell the first issues, and how many more there are; notes come last."""
    shown = sorted(found, key=lambda issue: issue.is_note)[:ISSUES_SHOWN]
    for issue in shown:
        word = "note" if issue.is_note else issue.kind
        where = f"{printable(issue.path)}: " if issue.path else ""
        say(f"  {word}: {where}{printable(issue.message)}")
    if total > len(shown):
        say(f"  … and {total - len(shown):,} more")


def issue_list(found: Sequence[Issue]) -> list[dict[str, object]]:
    """Return issues for JSON; paths as text a terminal may show."""
    return [
        {
            "kind": issue.kind,
            "path": printable(issue.path),
            "message": printable(issue.message),
            "is_note": issue.is_note,
        }
        for issue in found
    ]


def local(moment: datetime) -> str:
    """Return a moment in the reader's zone, with its offset."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
