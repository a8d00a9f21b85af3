"""A settings file that explains itself."""

import re
from textwrap import wrap

from unstoppable.cli.env_file import quoted
from unstoppable.cli.settings_model import TOLD
from unstoppable.cli.told import Told

_WIDTH = 98
_UNBROKEN = "\N{NO-BREAK SPACE}"
_HEAD = """\
# Settings of Unstoppable backups; `unstoppable init DIR` writes such a file with a fresh key.
# Lines that are commented out are examples; without them the default holds.
# A line is NAME=VALUE; a value with spaces or # stands in single quotes. Keep the file 0600.
# NAME_FILE=PATH instead of NAME reads the value from a file, which holds it alone.
# The environment wins over this file. All of it at length: docs/configuration.md.
"""


def explained() -> str:
    """Return a settings file with every setting: its meaning, default and an example, no secret.

    Nothing is set in it: each example is commented out.
    """
    return "\n".join([_HEAD, *(_paragraph(name, told) for name, told in TOLD.items())])


def _paragraph(name: str, told: Told) -> str:
    sentences = re.split(r"(?<=\.) (?=[A-Z`])", told.meaning)
    lines = [line for sentence in sentences for line in _lines(sentence)]
    return "".join(f"# {line}\n" for line in (*lines, f"Default: {told.default}.")) + (
        f"#{name}{'_FILE' if told.is_secret else ''}={quoted(told.example)}\n"
    )


def _lines(sentence: str) -> list[str]:
    """Return a sentence in lines; what stands between backquotes stays on one."""
    whole = re.sub(r"`[^`]*`", lambda found: found[0].replace(" ", _UNBROKEN), sentence)
    return [line.replace(_UNBROKEN, " ") for line in wrap(whole, _WIDTH)]
