"""Entries of snapshots on stdout, as they come."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache

from unstoppable.cli import output
from unstoppable.cli.command import Session
from unstoppable.domain.entry import Entry, line
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import printable
from unstoppable.engine import Stream

_MOMENTS_KEPT = 10_000
"""Files that were made together have one time; to write it anew for each takes longest."""


def tell(
    session: Session, found: Stream[list[Entry]], show: Callable[[Entry], str] | None = None
) -> int:
    """Write entries as they come, then what is missing among them; returns the exit code.

    `show` makes a line of an entry where it is not the usual one.
    """
    make = as_json if session.is_json else show or as_line
    output.stream(_chunks(found, make))
    return missing(found)


def missing(found: Stream[list[Entry]] | Stream[bytes]) -> int:
    """Tell what a listing or dump had to leave out; returns the exit code."""
    left_out = found.left_out
    output.issues(left_out.issues, left_out.issue_count + left_out.note_count)
    return ExitCode.PARTIAL if left_out.issue_count else ExitCode.SUCCEEDED


def as_line(entry: Entry) -> str:
    """Return an entry as a line for people."""
    return line(entry, _local)


def as_json(entry: Entry) -> str:
    """Return an entry as a line of JSON."""
    seconds = entry.modified_seconds
    document = {
        "snapshot": entry.snapshot_id,
        "path": printable(entry.path),
        "kind": entry.kind,
        "mode": None if entry.mode is None else f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "user": entry.user,
        "group": entry.group,
        "size_bytes": entry.size_bytes,
        "modified_at": None if seconds is None else _utc(seconds),
        "target": None if entry.target is None else printable(entry.target),
    }
    return json.dumps(document)


def _chunks(batches: Iterable[list[Entry]], make: Callable[[Entry], str]) -> Iterator[str]:
    for batch in batches:
        # The source's own folder has no name.
        lines = [make(entry) + "\n" for entry in batch if entry.path]
        if lines:
            yield "".join(lines)


@lru_cache(_MOMENTS_KEPT)
def _local(seconds: int) -> str:
    return _moment(seconds, output.local)


@lru_cache(_MOMENTS_KEPT)
def _utc(seconds: int) -> str:
    return _moment(seconds, lambda moment: moment.isoformat().replace("+00:00", "Z"))


def _moment(seconds: int, write: Callable[[datetime], str]) -> str:
    try:
        return write(datetime.fromtimestamp(seconds, UTC))
    except (OSError, OverflowError, ValueError):
        # A repository may claim a time that no calendar has.
        return f"@{seconds}"
