"""TOML of bounded cost: how long and how much memory it takes to read says who may have written it.

The parser of the standard library takes time and memory that grow with the square of the parts of a
dotted key: 64 KiB of `a.a.a…` take ten seconds, 256 KiB more memory than a small machine has. A key
stands on one line, so the dots of a line bound that.
"""
# ruff: noqa: EM102 - what is wrong is one sentence

import re
import tomllib
from typing import Any

LARGEST_BYTES = 2**18
MOST_DOTS = 200
"""In one line: what a list of patterns may need, and far more than a key does."""
LARGEST_INTEGER = 2**63 - 1
"""As the language has it; the parser takes more, which cannot even be shown."""
MOST_CHARACTERS = 4096
"""Of one text, as of a path: thousands of resources may have it, and each a fault that tells it."""
TOO_LARGE = f"it is larger than {LARGEST_BYTES >> 10} KiB"
_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.\"'-]+(?:\s+[A-Za-z0-9_.\"'-]+)*)\s*\]")
"""No blank is in two of its parts: with the cube of them the time would grow that it takes."""
_KEY = re.compile(r"\s*([A-Za-z0-9_\"'-]+)\s*=")


def is_too_large(text: str) -> bool:
    """Return whether a text has more bytes in a file than may be read of one."""
    return len(text.encode()) > LARGEST_BYTES


def parse(text: str) -> dict[str, Any]:
    """Return what a TOML file says; raises ValueError with a sentence for what is none."""
    if is_too_large(text):
        raise ValueError(TOO_LARGE)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise ValueError(f"line {number} has more than {MOST_DOTS} dots: write it as several")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each table and key of a TOML file, as people write one."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = tuple(part.strip(" \t\"'") for part in header[1].split("."))
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1].strip("\"'")), number)
    return found
