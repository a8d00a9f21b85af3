"""A secret that a setting holds, or the file or variable that holds it."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from unstoppable.domain.errors import FileUnsafe, SecretUnreadable, UnstoppableError
from unstoppable.domain.reference import FileReference, VariableReference
from unstoppable.domain.secret import Secret
from unstoppable.domain.secret_errors import VariableUnset
from unstoppable.secrets.bounded import bounded, open_plain

_LARGEST_SECRET_BYTES = 65_536
_MOST_CERTIFICATES_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Literal:
    """A secret that was written down as it is."""

    text: str = field(repr=False)

    def resolve(self) -> str:
        """Return the secret."""
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class InFile:
    """A secret that a file holds alone; one line break at its end is not part of it."""

    name: str
    """The setting it is for, without `_FILE`."""
    path: Path

    def __str__(self) -> str:
        return f"file:{self.path}"

    def resolve(self) -> str:
        """Return the secret; raises SecretUnreadable or FileUnsafe."""
        return read_private(self.path, name=self.name).removesuffix("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class InVariable:
    """A secret that a variable of the environment holds."""

    name: str
    """The setting it is for."""
    variable: str

    def __str__(self) -> str:
        return f"env:{self.variable}"

    def resolve(self) -> str:
        """Return the secret; raises VariableUnset."""
        if text := os.environ.get(self.variable):
            return text
        raise VariableUnset(name=self.name, variable=self.variable)


@dataclass(frozen=True, slots=True)
class NotGiven:
    """A secret that nobody gave; whoever needs it is told so."""

    error: UnstoppableError

    def resolve(self) -> str:
        """Raise the error."""
        raise self.error


def on_this_machine(
    reference: VariableReference | FileReference, *, name: str, beside: Path
) -> Secret:
    """Return the secret of a setting, which is not read yet; `beside` is the referring folder."""
    if isinstance(reference, VariableReference):
        return InVariable(name=name, variable=reference.variable)
    return InFile(name=name, path=beside / reference.path)


def read_private(path: Path, *, name: str) -> str:
    """Return the text of a file that only its owner may change and no stranger may read.

    Raises SecretUnreadable or FileUnsafe.
    """
    try:
        content = _read(path, is_secret=True, most_bytes=_LARGEST_SECRET_BYTES + 1)
        if len(content) > _LARGEST_SECRET_BYTES:
            raise SecretUnreadable(path=path, name=name, cause="it is too large")
        return content.decode()
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SecretUnreadable(path=path, name=name, cause=cause) from error


def read_trusted(path: Path) -> bytes:
    """Return what is in a file that everybody may read, and only its owner may change.

    Raises FileUnsafe or OSError.
    """
    return _read(path, is_secret=False, most_bytes=_MOST_CERTIFICATES_BYTES)


def _read(path: Path, *, is_secret: bool, most_bytes: int) -> bytes:
    def read() -> bytes:
        with open_plain(path) as file:
            refuse_unsafe(path, os.fstat(file.fileno()), is_secret=is_secret)
            return file.read(most_bytes)

    return bounded(path, read)


def refuse_unsafe(path: Path, found: os.stat_result, *, is_secret: bool) -> None:
    """Raise FileUnsafe if somebody but root and this user can change the file, or read a secret.

    A group may read: that is how services and clusters hand out secrets.
    """
    if found.st_uid not in {0, os.geteuid()}:
        reason, remedy = "it belongs to another user", f"chown {os.geteuid()} {path}"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason, remedy = "others may write it", f"chmod go-w {path}"
    elif is_secret and found.st_mode & stat.S_IROTH:
        reason, remedy = "others may read it", f"chmod o-rwx {path}"
    else:
        return
    raise FileUnsafe(path=path, reason=reason, remedy=remedy)
