"""The recovery sheet as a person has it before them."""

import re
from pathlib import Path

from tests.stories.world import Machine

NAMES = ("recovery-sheet.html", "recovery-sheet.txt")


def sheets(machine: Machine) -> list[Path]:
    """Return the files of the sheet beside the settings that are there."""
    return [path for name in NAMES if (path := machine.env_file.with_name(name)).exists()]


def paper(machine: Machine) -> dict[int, str]:
    """Return the groups by their numbers, as a person reads them from the printed text."""
    text = machine.env_file.with_name("recovery-sheet.txt").read_text()
    return {
        int(number): group for number, group in re.findall(r"^ +(\d+): (.+)$", text, re.MULTILINE)
    }
