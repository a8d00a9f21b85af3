"""References to secrets: `env:NAME`, `file:PATH`, `infisical:/PATH/NAME`.

What cannot be read is never told: it may be the secret itself, put where its reference belongs.
"""

import re
from dataclasses import dataclass

from unstoppable.domain.infisical import SCHEME, InfisicalReference

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BESIDE = re.compile(r"[a-z0-9-]{1,20}/[a-z0-9][a-z0-9.-]{0,63}")
"""So little that a secret, put there by mistake, would hardly ever pass for it."""
_LONGEST_PATH = 4095


@dataclass(frozen=True, slots=True)
class VariableReference:
    """A secret in a variable of the environment."""

    variable: str

    def __str__(self) -> str:
        return f"env:{self.variable}"


@dataclass(frozen=True, slots=True)
class FileReference:
    """A secret that a file holds alone."""

    path: str
    """From `/` on, or `FOLDER/FILE` beside the file that refers to it."""

    def __str__(self) -> str:
        return f"file:{self.path}"


Reference = VariableReference | FileReference | InfisicalReference


def parse(text: str) -> Reference:
    """Return where a secret lies; raises ValueError with a sentence."""
    scheme, _, rest = text.partition(":")
    match f"{scheme}:":
        case "env:":
            return _variable(rest)
        case "file:":
            return _file(rest)
        case other if other == SCHEME:
            return InfisicalReference.parse(text)
    raise ValueError("it begins with neither env:, file: nor infisical:")


def is_beside(path: str) -> bool:
    """Return whether a path is of a file in a folder beside the file that names it."""
    return bool(_BESIDE.fullmatch(path))


def _variable(name: str) -> VariableReference:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("after env: stands the name of a variable: letters, digits and _")
    return VariableReference(name)


def _file(path: str) -> FileReference:
    if is_beside(path):
        return FileReference(path)
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(
            "after file: stands the path of a file, which starts with / or is CUSTOMER/FILE"
        )
    if not path.isprintable() or len(path) > _LONGEST_PATH:
        raise ValueError("after file: stands a path that no file can have")
    return FileReference(path)
