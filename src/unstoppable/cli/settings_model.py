"""Every setting: what it may hold, what it means, its default and an example.

What is said here is said nowhere else: `unstoppable config generate`, .env.example and the table in
docs/configuration.md are made of it, and tests compare them.
Pydantic takes a quarter of a second to import: only what needs a setting's value imports this.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from unstoppable.domain import errors, ftps, names, s3
from unstoppable.domain.ftps import FtpsFolder
from unstoppable.domain.s3 import S3Prefix
from unstoppable.domain.schedule import Schedule
from unstoppable.secrets.reference import InFile, Literal

PREFIX = "UNSTOPPABLE_"
_MOST_CONNECTIONS = 64
_MOST_SOURCE_CONNECTIONS = 32


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
    if text.startswith(ftps.SCHEME):
        raise ValueError("it is on a server; only UNSTOPPABLE_SOURCE may be")
    if text.startswith(s3.SCHEME):
        raise ValueError(f"'{text}' is a bucket; only UNSTOPPABLE_COLD may be one")  # noqa: EM102
    if not text.startswith("/"):
        raise ValueError(f"'{text}' is not a path that starts with /")  # noqa: EM102
    return Path(os.path.normpath(text))


def _cold(value: object) -> Path | S3Prefix:
    text = str(value)
    return S3Prefix.parse(text) if text.startswith(s3.SCHEME) else folder(text)


def _source(value: object) -> Path | FtpsFolder:
    """Return a folder of this machine or of a server; raises ValueError with a sentence."""
    text = str(value)
    if re.match(r"(ftps?|ftpes|sftp)://", text, re.IGNORECASE) and not text.startswith(ftps.SCHEME):
        scheme = text.partition(":")[0]
        raise ValueError(f"'{scheme}' is not spoken here, {ftps.SCHEME} is")  # noqa: EM102
    return FtpsFolder.parse(text) if text.startswith(ftps.SCHEME) else folder(text)


def _connections(value: object, *, most: int) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"'{text}' is not a number from 1 to {most}")  # noqa: EM102
    return int(text)


def _days(value: object) -> int:
    found = re.fullmatch(r"([0-9]{1,4})\s*d", str(value).strip())
    if found is None or not int(found[1]):
        raise ValueError(f"'{value}' is not a number of days such as 30d")  # noqa: EM102
    return int(found[1])


def _access_key_id(value: object) -> str:
    text = str(value)
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError("it is not the name of an access key")
    return text


def _addressing(value: object) -> str:
    if str(value) not in {"path", "virtual-host"}:
        raise ValueError(f"'{value}' is neither path nor virtual-host")  # noqa: EM102
    return str(value)


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
        Path | FtpsFolder | None,
        BeforeValidator(_source),
        Told(
            "What is backed up: a directory, from `/` on, or `ftps://USER@HOST:PORT/PATH`, a "
            "folder of a server that speaks explicit TLS. A blank there is `%20`.",
            default="none",
            example="/srv/data",
        ),
    ] = None
    source_password: Annotated[
        Literal | InFile | None,
        Told(
            "The password of the server's user.",
            default="none",
            example="/etc/unstoppable/source-password",
            is_secret=True,
        ),
    ] = None
    source_pin: Annotated[
        bytes | None,
        BeforeValidator(lambda value: ftps.pin(str(value))),
        Told(
            "The public key that the server must show, whatever else its certificate says, as "
            "`unstoppable source pin` prints it.",
            default="none: its certificate must be good for its name",
            example="sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
    ] = None
    source_ca_file: Annotated[
        Folder | None,
        Told(
            "A file with the certificates, as PEM, that are trusted for the server instead of the "
            "system's.",
            default="the system's",
            example="/etc/unstoppable/source-ca.pem",
        ),
    ] = None
    source_allow_private: Annotated[
        bool,
        BeforeValidator(_yes_or_no),
        Told(
            "`yes` takes a server whose name leads to a private network, or to this machine. "
            "An address needs none of it.",
            default="`no`",
            example="yes",
        ),
    ] = False
    source_connections: Annotated[
        int,
        BeforeValidator(lambda value: _connections(value, most=_MOST_SOURCE_CONNECTIONS)),
        Told(
            "How many connections to the server there may be, 1 to 32; fewer where it bears fewer.",
            default="`8`",
            example="4",
        ),
    ] = 8
    source_reread: Annotated[
        int,
        BeforeValidator(_days),
        Told(
            "How often each file of a server is read anew though its size and time are the same, "
            "in days.",
            default="`30d`",
            example="90d",
        ),
    ] = 30
    cold: Annotated[
        Path | S3Prefix,
        BeforeValidator(_cold),
        Told(
            "Where backups are kept: a directory, or `s3://BUCKET/PREFIX`, of which the prefix may "
            "be missing. A customer's own bucket holds that customer's repositories directly.",
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
    s3_endpoint: Annotated[
        str | None,
        BeforeValidator(lambda value: s3.endpoint(str(value))),
        Told(
            "The server of the bucket, `https://host:port`. `http://` is taken for this machine "
            "itself alone.",
            default="AWS in that region",
            example="https://s3.example.com",
        ),
    ] = None
    s3_region: Annotated[
        str,
        BeforeValidator(lambda value: s3.region(str(value))),
        Told(
            "The region of the bucket; servers of your own mostly take any.",
            default=f"`{s3.DEFAULT_REGION}`",
            example="eu-central-1",
        ),
    ] = s3.DEFAULT_REGION
    s3_addressing: Annotated[
        str | None,
        BeforeValidator(_addressing),
        Told(
            "How the server is told the bucket: in the `path`, or as part of the host's name, "
            "`virtual-host`.",
            default="`path`, for AWS `virtual-host` where the name has no dot",
            example="virtual-host",
        ),
    ] = None
    s3_access_key_id: Annotated[
        str | None,
        BeforeValidator(_access_key_id),
        Told(
            "The name of the access key for the bucket. A backup needs no right to delete or "
            "to overwrite, and should have none.",
            default="none",
            example="backup-writer",
        ),
    ] = None
    s3_secret_access_key: Annotated[
        Literal | InFile | None,
        Told(
            "The secret of that access key.",
            default="none",
            example="/etc/unstoppable/s3-secret",
            is_secret=True,
        ),
    ] = None
    s3_ca_file: Annotated[
        Folder | None,
        Told(
            "A file with the certificates, as PEM, that are trusted for the server instead of the "
            "system's.",
            default="the system's",
            example="/etc/unstoppable/s3-ca.pem",
        ),
    ] = None
    s3_connections: Annotated[
        int,
        BeforeValidator(lambda value: _connections(value, most=_MOST_CONNECTIONS)),
        Told("How many requests go to the server at once, 1 to 64.", default="`8`", example="4"),
    ] = 8
    s3_bandwidth: Annotated[
        int | None,
        BeforeValidator(lambda value: s3.bandwidth(str(value))),
        Told(
            "How many bytes per second go to and from the server at most, such as `20 MiB/s`.",
            default="no limit",
            example="20 MiB/s",
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
