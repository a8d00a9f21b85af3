"""The rows of the tables in docs/sources.md, each of which has its test."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.stories.world import Machine

DOCUMENT = Path(__file__).parents[2] / "docs/sources.md"
_Test = TypeVar("_Test", bound=Callable[..., None])
Told = Callable[[subprocess.CompletedProcess[str]], None]


def rows(head: str = "what") -> dict[str, str]:
    """Return what each row says of the exit code and of what is told: its last cell, by its first.

    Only of the tables whose first column is called `head`.
    Raises ValueError where two rows have one name.
    """
    found: dict[str, str] = {}
    column = ""
    for line in DOCUMENT.read_text().splitlines():
        cells = re.split(r" *\| *", line)[1:-1]
        if not line.startswith("| ") and not line.startswith("|-"):
            column = ""
        elif not column:
            column = cells[0]
        elif line.startswith("| ") and column == head:
            if cells[0] in found:
                raise ValueError(cells[0])
            found[cells[0]] = cells[-1]
    return found


def row(title: str) -> Callable[[_Test], _Test]:
    """Say which row a test shows to be true."""

    def mark(test: _Test) -> _Test:
        test.row = title  # type: ignore[attr-defined]
        return test

    return mark


def set_up(machine: Machine) -> subprocess.CompletedProcess[str]:
    """Make the first backup."""
    return machine.run("init", str(machine.data))


def plain(machine: Machine, *, notes: int = 0) -> Path:
    """Restore without --exact, which tells so many notes; returns the folder."""
    target = Path(tempfile.mkdtemp(dir=machine.root, prefix="plain-"))
    if machine.user is not None:
        os.chown(target, machine.user, -1)
    result = machine.run("restore", "--to", str(target))
    assert (result.returncode, result.stderr.count("  note: ")) == (0, notes), result.stderr
    return target


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Told:
    """Compare how a backup ended with the last cell of the test's row: `3, \\`listing\\``.

    The number is the exit code, the words are the kinds of the issues, notes being `note`.
    """
    cell = rows()[request.function.row]

    def compare(result: subprocess.CompletedProcess[str]) -> None:
        kinds = set(re.findall(r"^  ([a-z-]+): ", result.stderr, re.MULTILINE))
        code = int(cell.partition(",")[0])
        assert (result.returncode, kinds) == (code, set(re.findall("`([a-z-]+)`", cell))), (
            result.stdout,
            result.stderr,
        )

    return compare
