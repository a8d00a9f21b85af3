"""Runs and what is recorded of them."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Self

from unstoppable.domain.canonical import LARGEST_NUMBER, canonical
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode, Outcome
from unstoppable.domain.pins import Pins
from unstoppable.domain.schedule import TICK
from unstoppable.domain.snapshot import Issue, Stored
from unstoppable.domain.text import printable

VERSION = 1
ISSUES_KEPT = 10
"""The engine's summary holds more."""
LARGEST_RECORD_BYTES = 9_500
"""With its place in a chain it stays below 10 kB."""
TEXT_KEPT = 200
KIND_KEPT = 40
MESSAGE_KEPT = 2_000
HOST_KEPT = 64
PROGRAM_KEPT = 64
_MESSAGE_KEPT_BYTES = 6_000
"""Characters may take four bytes; the rest of a record, without issues, takes 2,000 at most."""
_CUT = "…"
_OUTCOMES = {ExitCode.CANCELLED: Outcome.CANCELLED, ExitCode.SKIPPED: Outcome.SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt to back up one resource."""

    id: str
    resource: ResourceName
    slot_at: datetime | None
    """The due moment it serves; None for a run that a person started."""
    started_at: datetime
    pid: int
    host: str | None = None
    """The name of the machine; None in records of versions that did not keep it."""
    program_version: str | None = None
    """Such as `unstoppable 0.1.0`; None as above."""

    @property
    def is_late(self) -> bool:
        """Whether it serves a slot that was due before the last tick."""
        return self.slot_at is not None and self.started_at - self.slot_at >= TICK


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedIssue:
    """An issue as a record keeps it: readable, shortened text."""

    kind: str
    path: str
    message: str

    @classmethod
    def of(cls, issue: Issue) -> Self:
        """Return the issue, fit for a record."""
        return cls(
            kind=issue.kind[:KIND_KEPT],
            path=printable(issue.path)[:TEXT_KEPT],
            message=printable(issue.message)[:TEXT_KEPT],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a stored snapshot holds and what the run moved."""

    files_total: int
    files_new: int
    files_changed: int
    files_unchanged: int
    bytes_total: int
    bytes_read: int
    bytes_added: int
    issues: int
    notes: int

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """Return the numbers of a summary."""
        return cls(
            files_total=stored.files_total,
            files_new=stored.files_new,
            files_changed=stored.files_changed,
            files_unchanged=stored.files_unchanged,
            bytes_total=stored.bytes_total,
            bytes_read=stored.bytes_read,
            bytes_added=stored.bytes_added,
            issues=stored.issue_count,
            notes=stored.note_count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The repository that a run opened."""

    id: str
    generation: int
    key_fingerprint: str
    """Of the key that opened it."""

    @classmethod
    def of(cls, pins: Pins) -> Self:
        """Return what was found on opening, as pins tell it."""
        return cls(
            id=pins.repository_id,
            generation=pins.generation,
            key_fingerprint=pins.key_fingerprint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run; while it runs `ended_at` and `outcome` are None.

    Of one that was killed nobody knows when it ended.
    """

    run: Run
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    message: str | None = None
    """The error's sentence, readable; None for a run that ended well."""
    repository: Opened | None = None
    """None where none was opened."""
    snapshot_id: str | None = None
    counts: Counts | None = None
    issues: tuple[RecordedIssue, ...] = ()
    """The first of them; `counts` has the numbers."""

    @classmethod
    def of_error(cls, run: Run, error: UnstoppableError, *, ended_at: datetime | None) -> Self:
        """Return the record of a run that ended with an error and left nothing."""
        return cls(
            run=run,
            ended_at=ended_at,
            outcome=_OUTCOMES.get(error.exit_code, Outcome.FAILED),
            exit_code=error.exit_code,
            message=readable(error),
        )

    def to_json(self) -> str:
        """Return the record as canonical JSON (RFC 8785), of 9,500 bytes at most.

        What is too long never makes a record fail: the message is cut, then issues are left out,
        the last one first; `counts` still has their number.
        """
        fields = {
            "version": VERSION,
            "run": self.run.id,
            "customer": self.run.resource.customer,
            "resource": self.run.resource.resource,
            "slot": _seconds(self.run.slot_at),
            "started_at": _seconds(self.run.started_at),
            "ended_at": _seconds(self.ended_at),
            "pid": self.run.pid,
            "host": self.run.host,
            "program_version": self.run.program_version,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "message": None if self.message is None else _line(self.message),
            "repository": None if self.repository is None else asdict(self.repository),
            "snapshot": self.snapshot_id,
            "counts": None if self.counts is None else _within_limits(self.counts),
        }
        issues = [asdict(issue) for issue in self.issues[:ISSUES_KEPT]]
        while len(text := canonical({**fields, "issues": issues})) > LARGEST_RECORD_BYTES:
            issues.pop()
        return text.decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the record written as `text`; raises ValueError, TypeError or KeyError."""
        found = json.loads(text)
        if found["version"] != VERSION:
            raise ValueError("the record's version is not 1")
        resource = ResourceName(customer=found["customer"], resource=found["resource"])
        run = Run(
            id=found["run"],
            resource=resource,
            slot_at=_moment(found["slot"]),
            started_at=datetime.fromtimestamp(found["started_at"], UTC),
            pid=found["pid"],
            host=found.get("host"),
            program_version=found.get("program_version"),
        )
        repository = found.get("repository")
        return cls(
            run=run,
            ended_at=_moment(found["ended_at"]),
            outcome=None if found["outcome"] is None else Outcome(found["outcome"]),
            exit_code=found["exit_code"],
            message=found["message"],
            repository=None if repository is None else Opened(**repository),
            snapshot_id=found["snapshot"],
            counts=None if found["counts"] is None else Counts(**found["counts"]),
            issues=tuple(RecordedIssue(**issue) for issue in found["issues"]),
        )


def run_id(started_at: datetime, random: str) -> str:
    """Return an id that sorts by time, such as `20261124-083000-012345-3f9a2b1c`.

    The microseconds tell apart which of two snapshots of the same second is the newer one.
    """
    return f"{started_at:%Y%m%d-%H%M%S-%f}-{random}"


def readable(error: UnstoppableError) -> str:
    """Return the sentence of an error as a record keeps it."""
    return printable(str(error))


def _line(text: str) -> str:
    """Return a message that fits; one that was read from a record stays as it is."""
    text = text if text.isprintable() else printable(text)
    if len(text) <= MESSAGE_KEPT and len(text.encode()) <= _MESSAGE_KEPT_BYTES:
        return text
    kept = text[: MESSAGE_KEPT - 1].encode()[: _MESSAGE_KEPT_BYTES - len(_CUT.encode())]
    return kept.decode(errors="ignore") + _CUT


def _within_limits(counts: Counts) -> dict[str, int]:
    return {name: min(number, LARGEST_NUMBER) for name, number in asdict(counts).items()}


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
