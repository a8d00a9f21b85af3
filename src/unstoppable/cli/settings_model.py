"""Every setting: what it may hold, what it means, its default and an example.

What is said here is said nowhere else: `unstoppable config generate`, .env.example and the table in
docs/configuration.md are made of it, and tests compare them.
Pydantic takes a quarter of a second to import: only what needs a setting's value imports this.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from unstoppable.domain import errors, names
from unstoppable.domain.schedule import Schedule
from unstoppable.secrets.reference import InFile, Literal

PREFIX = "UNSTOPPABLE_"
_TO_COME = ("ftps://", "s3://")


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of a setting."""

    meaning: str
    default: str
    """In words: what is not set, and what depends on the machine, has no value to show."""
    example: str
    is_secret: bool = False
    """Whether only the name of its file may be shown."""


def folder(value: object) -> Path:
    """Return a folder from its text; raises ValueError for what is no path from `/` on."""
    text = str(value)
    if text.startswith(_TO_COME):
        scheme = text.partition(":")[0]
        raise ValueError(f"this version cannot do {scheme} yet, only folders")  # noqa: EM102
    if not text.startswith("/"):
        raise ValueError(f"'{text}' is not a path that starts with /")  # noqa: EM102
    return Path(os.path.normpath(text))


def _name(value: object) -> str:
    try:
        return names.name(str(value))
    except errors.NameInvalid as error:
        raise ValueError(f"{error}; {error.hint}") from error  # noqa: EM102 - one sentence


def _percent(value: object) -> int:
    digits = str(value).removesuffix("%").strip()
    if not digits.isascii() or not digits.isdigit() or int(digits) > 100:  # noqa: PLR2004
        raise ValueError(f"'{value}' is not a percentage from 0% to 100%")  # noqa: EM102
    return int(digits)


def _yes_or_no(value: object) -> object:
    if str(value).lower() not in {"yes", "no", "true", "false", "on", "off", "1", "0"}:
        raise ValueError(f"'{value}' is neither yes nor no")  # noqa: EM102
    return value


def _schedule(value: object) -> Schedule:
    try:
        return Schedule.parse(str(value))
    except errors.ScheduleInvalid as error:
        raise ValueError(f"{error}; {error.hint}") from error  # noqa: EM102 - one sentence


def _globs(value: object) -> tuple[str, ...]:
    lines = str(value).replace(",", "\n").splitlines()
    return tuple(glob for line in lines if (glob := line.strip()))


Folder = Annotated[Path, BeforeValidator(folder)]
Name = Annotated[str, BeforeValidator(_name)]


class Settings(BaseModel):
    """The settings by name; `UNSTOPPABLE_HOT` is `hot`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    source: Annotated[
        Folder | None,
        Told(
            "The directory that is backed up, from `/` on. FTPS is not there yet.",
            default="none",
            example="/srv/data",
        ),
    ] = None
    cold: Annotated[
        Folder,
        Told(
            "Where backups are kept. S3 is not there yet.",
            default="`/var/lib/unstoppable/cold`, a user's `~/.local/share/unstoppable/cold`",
            example="/mnt/backup/cold",
        ),
    ]
    hot: Annotated[
        Folder,
        Told(
            "A cache of the metadata, and the lock of each customer. Another folder than cold. "
            "It can be deleted while nothing runs.",
            default="`/var/lib/unstoppable/hot`, a user's `~/.local/share/unstoppable/hot`",
            example="/var/lib/unstoppable/hot",
        ),
    ]
    state: Annotated[
        Folder,
        Told(
            "The journal of runs, and whether the key is on paper.",
            default="`/var/lib/unstoppable/state`, a user's `~/.local/share/unstoppable/state`",
            example="/var/lib/unstoppable/state",
        ),
    ]
    key: Annotated[
        Literal | InFile | None,
        Told(
            "The root secret: 64 hexadecimal digits, or the groups of its recovery sheet as they "
            "are printed. Every repository key is derived from it. "
            "`unstoppable init DIR` makes one, and so does `openssl rand -hex 32`.",
            default="none",
            example="/etc/unstoppable/key",
            is_secret=True,
        ),
    ] = None
    repository_key: Annotated[
        Literal | InFile | None,
        Told(
            "Instead of the root secret, the key of this one repository: 128 hexadecimal digits, "
            "or their groups. Both is an error.",
            default="none",
            example="/etc/unstoppable/repository-key",
            is_secret=True,
        ),
    ] = None
    customer: Annotated[
        Name,
        Told(
            "Whose backup it is: 1 to 20 of a-z, 0-9 and -, no - at either end. "
            "Part of the key's derivation: it never changes once the repository exists.",
            default="`default`",
            example="acme",
        ),
    ] = "default"
    resource: Annotated[
        Name,
        Told(
            "What of the customer's is backed up; the same letters, and the same warning.",
            default="`default`",
            example="www",
        ),
    ] = "default"
    exclude: Annotated[
        tuple[str, ...],
        BeforeValidator(_globs),
        Told(
            "What is left out: patterns as in gitignore, relative to the source, separated by "
            "commas or line breaks. For a name with a comma write `?` in its place.",
            default="nothing",
            example="cache/**, *.tmp",
        ),
    ] = ()
    one_file_system: Annotated[
        bool,
        BeforeValidator(_yes_or_no),
        Told(
            "`yes` leaves out other file systems that are mounted inside the source.",
            default="`no`",
            example="yes",
        ),
    ] = False
    schedule: Annotated[
        Schedule | None,
        BeforeValidator(_schedule),
        Told(
            "When backups are due: the five fields of a cron line, and a zone where it is not UTC, "
            "such as `17 2 * * * Europe/Berlin`. The default is once between 0 and 6 o'clock UTC, "
            "on each machine at another minute.",
            default="a time at night",
            example="17 2 * * * Europe/Berlin",
        ),
    ] = None
    max_shrink: Annotated[
        int,
        BeforeValidator(_percent),
        Told(
            "By how much the source may be smaller than the last complete snapshot, in bytes or in "
            "files. Beyond it the run is partial, until `unstoppable backup --accept-shrink`. "
            "`100%` accepts anything.",
            default="`50%`",
            example="30%",
        ),
    ] = 50


TOLD = {
    PREFIX + field.upper(): told
    for field, found in Settings.model_fields.items()
    for told in found.metadata
    if isinstance(told, Told)
}
"""What is told of each setting, by its name."""
NAMES = tuple(TOLD)
