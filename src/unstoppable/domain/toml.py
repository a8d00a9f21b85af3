"""TOML of bounded cost: how long and how much memory it takes to read says who may have written it.

The parser of the standard library takes time and memory that grow with the square of the parts of a
dotted key: 64 KiB of `a.a.a…` take ten seconds, 256 KiB more memory than a small machine has. A key
stands on one line, so the dots of a line bound that.
"""
# ruff: noqa: EM102 - what is wrong is one sentence

import tomllib
from typing import Any

LARGEST_BYTES = 2**18
MOST_DOTS = 200
"""In one line: what a list of patterns may need, and far more than a key does."""
TOO_LARGE = f"it is larger than {LARGEST_BYTES >> 10} KiB"


def parse(text: str) -> dict[str, Any]:
    """Return what a TOML file says; raises ValueError with a sentence for what is none."""
    if len(text) > LARGEST_BYTES:
        raise ValueError(TOO_LARGE)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise ValueError(f"line {number} has more than {MOST_DOTS} dots: write it as several")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
