"""The values of settings from their texts; each raises ValueError with a sentence."""
# ruff: noqa: EM102 - what is wrong is one sentence

import os
import re
from pathlib import Path

from unstoppable.domain import amounts, delivery, errors, ftps, names, s3
from unstoppable.domain.ftps import FtpsFolder
from unstoppable.domain.s3 import S3Prefix
from unstoppable.domain.schedule import Schedule

MOST_CONNECTIONS = 64
MOST_SOURCE_CONNECTIONS = 32
MOST_PARALLEL = 99
MOST_TIME = 100_000
"""Days or hours; a run would end in an error where no moment is so far away."""
WAIT, SKIP = "wait", "skip"


def folder(value: object) -> Path:
    """Return a folder from its text; raises ValueError for what is no path from `/` on."""
    text = str(value)
    if text.startswith(ftps.SCHEME):
        raise ValueError("it is on a server; only UNSTOPPABLE_SOURCE may be")
    if text.startswith(s3.SCHEME):
        raise ValueError(f"'{text}' is a bucket; only UNSTOPPABLE_COLD may be one")
    if not text.startswith("/"):
        raise ValueError(f"'{text}' is not a path that starts with /")
    return Path(os.path.normpath(text))


def cold(value: object) -> Path | S3Prefix:
    """Return a folder of this machine, or a part of a bucket."""
    text = str(value)
    return S3Prefix.parse(text) if text.startswith(s3.SCHEME) else folder(text)


def source(value: object) -> Path | FtpsFolder:
    """Return a folder of this machine or of a server; raises ValueError with a sentence."""
    text = str(value)
    if re.match(r"(ftps?|ftpes|sftp)://", text, re.IGNORECASE) and not text.startswith(ftps.SCHEME):
        scheme = text.partition(":")[0]
        raise ValueError(f"'{scheme}' is not spoken here, {ftps.SCHEME} is")
    return FtpsFolder.parse(text) if text.startswith(ftps.SCHEME) else folder(text)


def connections(value: object, *, most: int) -> int:
    """Return a number of connections."""
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"'{text}' is not a number from 1 to {most}")
    return int(text)


def whole(value: object, unit: str, example: str, *, most: int = 10**12) -> int:
    """Return a whole number, not 0, that is written with its unit."""
    found = re.fullmatch(rf"([0-9]{{1,12}})\s*{unit}", str(value).strip())
    if found is None or not int(found[1]):
        raise ValueError(f"'{value}' is not a number such as {example}")
    if int(found[1]) > most:
        raise ValueError(f"'{value}' is more than {most}{unit}")
    return int(found[1])


def size(value: object) -> int:
    """Return bytes, not 0."""
    size_bytes = amounts.parse(str(value))
    if not size_bytes:
        raise ValueError(f"'{value}' is not a number of bytes such as 500 GiB")
    return size_bytes


def access_key_id(value: object) -> object:
    """Return the name of an access key, or a reference to it as it is."""
    if not isinstance(value, str):
        return value
    text = value
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError("it is not the name of an access key")
    return text


def addressing(value: object) -> str:
    """Return how a server is told the bucket."""
    if str(value) not in {"path", "virtual-host"}:
        raise ValueError(f"'{value}' is neither path nor virtual-host")
    return str(value)


def overlap(value: object) -> str:
    """Return what becomes of a slot that finds others at work."""
    if str(value) not in {WAIT, SKIP}:
        raise ValueError(f"'{value}' is neither {WAIT} nor {SKIP}")
    return str(value)


def name(value: object) -> str:
    """Return the name of a customer or a resource."""
    try:
        return names.name(str(value))
    except errors.NameInvalid as error:
        raise ValueError(f"{error}; {error.hint}") from error


def percent(value: object) -> int:
    """Return a percentage."""
    digits = str(value).removesuffix("%").strip()
    if not digits.isascii() or not digits.isdigit() or int(digits) > 100:  # noqa: PLR2004
        raise ValueError(f"'{value}' is not a percentage from 0% to 100%")
    return int(digits)


def yes_or_no(value: object) -> object:
    """Return what says yes or no."""
    if str(value).lower() not in {"yes", "no", "true", "false", "on", "off", "1", "0"}:
        raise ValueError(f"'{value}' is neither yes nor no")
    return value


def schedule(value: object) -> Schedule:
    """Return a schedule."""
    try:
        return Schedule.parse(str(value))
    except errors.ScheduleInvalid as error:
        raise ValueError(f"{error}; {error.hint}") from error


def reporters(value: object) -> tuple[str, ...]:
    """Return the addresses of reporters from their list."""
    return tuple(dict.fromkeys(map(delivery.reporter, globs(value))))


def mailboxes(value: object) -> tuple[str, ...]:
    """Return addresses of mail from their list."""
    return tuple(dict.fromkeys(map(delivery.mailbox, globs(value))))


def mail_user(value: object) -> str:
    """Return the name of a user of a mail server."""
    text = str(value)
    if not re.fullmatch(r"[!-~]{1,256}", text):
        raise ValueError("it is no name of a user: it holds blanks or what is not ASCII")
    return text


def globs(value: object) -> tuple[str, ...]:
    """Return patterns from their list."""
    lines = str(value).replace(",", "\n").splitlines()
    return tuple(glob for line in lines if (glob := line.strip()))
