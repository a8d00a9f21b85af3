"""Telling others of runs: where it goes, what an answer means, and when it is tried again."""
# ruff: noqa: EM102 - what is wrong is one sentence

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from urllib.parse import urlsplit

from unstoppable.domain import s3
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.domain.schedule import Schedule
from unstoppable.domain.text import count, duration, size

FIRST_PAUSE_SECONDS = 10
LONGEST_PAUSE_SECONDS = 3_600
LONGEST_ASKED_SECONDS = 6 * 3_600
"""A server that asks for more is asked again all the same."""
LONGEST_WORDS_BYTES = 10_000
_CAN_WAIT = frozenset({408, 425, 429})
_ABOUT_THE_RECORD = frozenset({400, 409, 413, 422})
_REST = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:%-]*)*")
_LONGEST_ADDRESS = 2_048
_SUCCEEDED, _BROKEN = 200, 500
_FRESH_FOR = timedelta(hours=1)
_RUNS = uuid.UUID("5a0c1c1e-5f0b-5d0c-9d53-2f2f0c7a1b11")
"""A name space of our own: the same run has the same id wherever it is told."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_MAILBOX = re.compile(
    rf"(?=.{{1,64}}@.{{1,252}}$){_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*", re.ASCII
)
_SHORT_ID = 8


class Meaning(Enum):
    """What an answer says."""

    ACCEPTED = "accepted"
    LATER = "later"
    """This one is asked to come again."""
    BROKEN = "broken"
    """The server has a fault: nobody is served."""
    REFUSED = "refused"
    """Who asks, or what for, is wrong: the next one will be refused as well."""
    RECORD_REFUSED = "record-refused"
    """Something is wrong with what was sent."""


def meaning(status: int) -> Meaning:
    """Return what the status of an answer says."""
    if _SUCCEEDED <= status < _SUCCEEDED + 100:
        return Meaning.ACCEPTED
    if status in _CAN_WAIT:
        return Meaning.LATER
    if status >= _BROKEN:
        return Meaning.BROKEN
    return Meaning.RECORD_REFUSED if status in _ABOUT_THE_RECORD else Meaning.REFUSED


def seconds_asked(header: str | None, moment: datetime) -> float | None:
    """Return how long a `Retry-After` asks to wait; None for what says nothing that one knows."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    zoned = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (zoned - moment).total_seconds())


def pause_seconds(failures: int, *, chance: float, asked: float | None = None) -> float:
    """Return how long to wait after so many failures; `chance` is from 0 to 1.

    Never less than the server asked for, and always a little by chance: whoever was sent away at
    the same moment must not come back at the same moment.
    """
    doubled = FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 20)
    own: float = min(doubled, LONGEST_PAUSE_SECONDS) * (0.5 + chance)
    wanted = min(asked or 0.0, LONGEST_ASKED_SECONDS)
    return max(own, wanted * (1 + chance / 4))


def is_due(retry_at: float, now: float) -> bool:
    """Return whether the time has come; what lies too far ahead is of a clock that was ahead."""
    return retry_at <= now or retry_at - now > LONGEST_ASKED_SECONDS * 1.25


def reporter(text: str) -> str:
    """Return the address of a reporter as it is asked; raises ValueError with a sentence."""
    return _address(text, "https://witness.example/v1/records")


def ping_address(text: str) -> str:
    """Return a ping URL without a slash at its end; raises ValueError with a sentence.

    It is a secret: no sentence holds any of it.
    """
    try:
        found = _address(text, "")
    except ValueError:
        found = ""
    if not found or not urlsplit(found).path.strip("/"):
        raise ValueError(
            "it is not an address such as https://hc-ping.com/UUID, without a ? or a user in it; "
            "http:// is for this machine itself alone"
        )
    return found.removesuffix("/")


def _address(text: str, example: str) -> str:
    if len(text) > _LONGEST_ADDRESS or not text.isascii() or not text.isprintable():
        raise ValueError(f"it is not an address such as {example}")
    try:
        found = urlsplit(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no address: {error}") from error
    if "?" in text or "#" in text:
        raise ValueError(f"'{text}' holds ? or #; records are signed and need nothing beside them")
    server = s3.endpoint(f"{found.scheme}://{found.netloc}", example=example)
    if not _REST.fullmatch(found.path):
        raise ValueError(f"'{text}' is not an address such as {example}")
    return server + found.path


def mailbox(text: str) -> str:
    """Return an address that mail goes to or comes from; raises ValueError with a sentence."""
    if not _MAILBOX.fullmatch(text):
        raise ValueError(f"'{text}' is not an address such as ops@example.com")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Who takes mail."""

    host: str
    port: int
    is_tls: bool
    """Whether the connection is encrypted from the beginning; else it becomes so by STARTTLS."""

    @classmethod
    def parse(cls, text: str) -> "MailServer":
        """Return the server of `smtp://HOST:PORT` or `smtps://HOST:PORT`; raises ValueError."""
        scheme, _, place = text.partition("://")
        if scheme not in {"smtp", "smtps"} or "/" in place:
            raise ValueError(f"'{text}' is not smtp://HOST:PORT or smtps://HOST:PORT")
        found = urlsplit(s3.endpoint(f"https://{place}", example="smtp://mail.example.com:587"))
        is_tls = scheme == "smtps"
        return cls(
            host=found.hostname or "", port=found.port or (465 if is_tls else 587), is_tls=is_tls
        )

    @property
    def is_this_machine(self) -> bool:
        """Whether nothing leaves the machine: then it need not be encrypted."""
        return s3.is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'smtps' if self.is_tls else 'smtp'}://{host}:{self.port}"


# --- pings ----------------------------------------------------------------------------------------


class Ping(Enum):
    """What a ping says; the value is the end of its address."""

    START = "/start"
    SUCCESS = ""
    FAIL = "/fail"
    LOG = "/log"


def ping_run_id(run: str) -> str:
    """Return the id of a run in the one form that servers of pings take: a UUID."""
    return str(uuid.uuid5(_RUNS, run))


def ping_of(
    record: RunRecord, schedule: Schedule, moment: datetime, *, is_signed: bool = True
) -> Ping:
    """Return what is told of a run that ended.

    A success whose record could not be signed is none, as the run's exit code says.

    A success that could not be told for long, and is not the newest that was due, is no good news
    any more: taken for one it would hide that later ones are missing.
    """
    if record.outcome is Outcome.SKIPPED:
        return Ping.LOG
    if record.outcome is not Outcome.SUCCEEDED or not is_signed:
        return Ping.FAIL
    ended_at = record.ended_at or record.run.started_at
    if moment - ended_at <= _FRESH_FOR:
        return Ping.SUCCESS
    later = next(schedule.slots(after=record.run.started_at, until=moment), None)
    return Ping.SUCCESS if later is None else Ping.LOG


def words(record: RunRecord, *, is_signed: bool = True) -> str:
    """Return one sentence on how a run ended, or that it began; it holds no secret."""
    resource, outcome = record.run.resource, record.outcome
    if outcome is None:
        return f"{resource} began at {_at(record.run.started_at)}"
    told = f"{resource} {outcome}"
    if record.message:
        told += f": {record.message}"
    if record.counts is not None:
        took = record.ended_at and duration(record.ended_at - record.run.started_at)
        files = count(record.counts.files_total, "file")
        told += f", {files}, {size(record.counts.bytes_total)} in {took or 'an unknown time'}"
    if record.snapshot_id is not None:
        told += f", snapshot {record.snapshot_id[:_SHORT_ID]}"
    if not is_signed:
        told += ", and its record could not be signed"
    if record.ended_at is not None:
        told += f", at {_at(record.ended_at)}"
    return told.encode()[:LONGEST_WORDS_BYTES].decode(errors="ignore")


def chosen(ended: list[RunRecord], *, most: int = 3) -> list[RunRecord]:
    """Return which of some runs that ended are worth a ping, oldest first.

    The last one that had its lane decides; of those that were skipped after it the last few.
    """
    decisive = [run for run in ended if run.outcome is not Outcome.SKIPPED][-1:]
    start = ended.index(decisive[0]) + 1 if decisive else 0
    return [*decisive, *ended[start:][-most:]]


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
