"""The settings file: where it is, what it says, and how it is written."""

import errno
import os
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from unstoppable.domain.customer_errors import CustomersUnreadable
from unstoppable.domain.errors import EnvFileInvalid, EnvFileMissing, EnvFileUnreadable, FileUnsafe
from unstoppable.domain.outlook_errors import HomeUnknown
from unstoppable.domain.setup_errors import EnvFileTooLarge
from unstoppable.domain.text import size
from unstoppable.secrets.bounded import open_plain
from unstoppable.secrets.reference import refuse_unsafe

ENV_FILE = "UNSTOPPABLE_ENV_FILE"
_LARGEST_FILE_BYTES = 2**18
MOST_FAULTS = 100
"""Of one file: to tell tens of thousands takes longer than anybody waits."""
_MOST_BLANKS = 256
"""In a row: the parser takes time that grows with the square of them."""
_BLANKS = re.compile(rf"[^\S\r\n]{{{_MOST_BLANKS + 1}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one line of a settings file says."""

    value: str
    number: int


def locate(named: Path | None) -> Path:
    """Return the settings file: named by option or environment, else this user's own."""
    in_environment = os.environ.get(ENV_FILE)
    chosen = named or (Path(in_environment) if in_environment else configuration_folder() / ".env")
    return chosen.absolute()


def customers(path: Path) -> tuple[Path, list[Path] | None]:
    """Return the folder of customers beside a settings file, and their files.

    None instead of files where there is no such folder. Raises CustomersUnreadable: a folder that
    cannot be read is not an empty one.
    """
    folder = customers_folder(path)
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not folder.is_symlink():
            return folder, None
        raise CustomersUnreadable(folder=folder, cause=error.strerror) from error
    return folder, [f for f in found if f.name.endswith(".toml") and not f.name.startswith(".")]


def customers_folder(path: Path) -> Path:
    """Return the folder of customers beside a settings file, whether it is there or not."""
    return path.with_name("customers")


def is_named(named: Path | None) -> bool:
    """Return whether somebody asked for a settings file, so that its absence is an error."""
    return bool(named or os.environ.get(ENV_FILE))


def configuration_folder() -> Path:
    """Return where the settings of this installation, of root or of this user are.

    Raises HomeUnknown.
    """
    if prefix := _prefix():
        return prefix / "etc"
    if os.geteuid() == 0:
        return Path("/etc/unstoppable")
    return _xdg("XDG_CONFIG_HOME", ".config") / "unstoppable"


def data_folder() -> Path:
    """Return where hot, cold and state of this installation, of root or of this user are.

    Raises HomeUnknown.
    """
    if prefix := _prefix():
        return prefix / "var"
    if os.geteuid() == 0:
        return Path("/var/lib/unstoppable")
    return _xdg("XDG_DATA_HOME", ".local/share") / "unstoppable"


def _prefix() -> Path | None:
    """Return the folder that `install.sh --prefix` put everything beneath."""
    try:
        return Path((Path(sys.prefix) / "unstoppable-prefix").read_text())
    except FileNotFoundError:
        return None


def _xdg(name: str, default: str) -> Path:
    # The specification has relative values ignored.
    given = Path(os.environ.get(name, ""))
    try:
        return given if given.is_absolute() else Path.home() / default
    except RuntimeError as error:
        raise HomeUnknown(user=os.geteuid()) from error


def read(
    path: Path, *, without: Collection[str] = ()
) -> tuple[dict[str, Line], list[EnvFileInvalid]]:
    """Return what the settings file says, and its lines that say nothing; nothing is interpolated.

    Of those lines the first MOST_FAULTS are told; what stands below them is read all the same.
    Values of the settings `without` are not there, and nowhere in the memory of this process.
    Raises EnvFileMissing, EnvFileUnreadable, EnvFileTooLarge or FileUnsafe, or EnvFileInvalid if it
    is no text, or none that can be read in little time.
    """
    try:
        refuse_unsafe_folder(path.parent)
        with open_plain(path) as file:
            refuse_unsafe(path, os.fstat(file.fileno()), is_secret=True)
            content = _content(path, file.fileno())
        _blank(content, without)
        text = content.decode()
    except FileNotFoundError as error:
        raise EnvFileMissing(path=path) from error
    except OSError as error:
        raise EnvFileUnreadable(path=path, cause=error.strerror) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EnvFileInvalid(path=path, line=line, reason="it is no UTF-8 text") from error
    if blanks := _BLANKS.search(text):
        line = text.count("\n", 0, blanks.start()) + 1
        reason = f"it holds more than {_MOST_BLANKS} blanks in a row"
        raise EnvFileInvalid(path=path, line=line, reason=reason)
    return _parse(text, path)


def _content(path: Path, descriptor: int) -> bytearray:
    """Return what is in a file, of which no other copy is made.

    Raises EnvFileTooLarge or OSError.
    """
    size_bytes = os.fstat(descriptor).st_size
    if size_bytes > _LARGEST_FILE_BYTES:
        raise EnvFileTooLarge(path=path, limit=size(_LARGEST_FILE_BYTES))
    content = bytearray(size_bytes + 1)
    length = 0
    while taken := os.readv(descriptor, [memoryview(content)[length:]]):
        length += taken
    if length == len(content):
        raise OSError(errno.EAGAIN, "it grows while it is read")
    del content[length:]
    return content


def _blank(content: bytearray, names: Collection[str]) -> None:
    """Overwrite the lines of settings with blanks, where they are."""
    if names:
        any_of_them = b"|".join(re.escape(name.encode()) for name in names)
        line = rb"(?m)^[ \t]*(?:export[ \t]+)?'?(?:" + any_of_them + rb")'?[ \t]*=.*$"
        for begin, end in [found.span() for found in re.finditer(line, content)]:
            content[begin:end] = b" " * (end - begin)


def _parse(text: str, path: Path) -> tuple[dict[str, Line], list[EnvFileInvalid]]:
    found: dict[str, Line] = {}
    faults: list[EnvFileInvalid] = []
    for binding in parse_stream(StringIO(text)):
        number = binding.original.line
        if binding.error or (binding.key is not None and binding.value is None):
            reason = "it is not NAME=VALUE"
        elif binding.key is None or binding.value is None:
            continue  # a comment or an empty line
        elif binding.key in found:
            reason = f"{binding.key} stands there a second time"
        else:
            found[binding.key] = Line(value=binding.value, number=number)
            continue
        if len(faults) < MOST_FAULTS:
            faults.append(EnvFileInvalid(path=path, line=number, reason=reason))
    return found, faults


def refuse_unsafe_folder(folder: Path) -> None:
    """Whoever may write the folder may put another file in place of ours."""
    found = folder.stat()
    sticky = found.st_mode & 0o1000
    if found.st_uid not in {0, os.geteuid()}:
        remedy = f"chown {os.geteuid()} {folder}"
        raise FileUnsafe(path=folder, reason="it belongs to another user", remedy=remedy)
    if found.st_mode & 0o022 and not sticky:
        remedy = f"chmod go-w {folder}"
        raise FileUnsafe(path=folder, reason="others may write it", remedy=remedy)


def render(settings: dict[str, str]) -> str:
    """Return the text of a settings file that `read` gives back as it is."""
    return "".join(f"{name}={quoted(value)}\n" for name, value in settings.items())


def quoted(value: str) -> str:
    """Return a value as a settings file holds it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
