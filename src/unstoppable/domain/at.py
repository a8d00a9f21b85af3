"""Which snapshot `--at` means."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from unstoppable.domain.errors import MomentInvalid, SnapshotAmbiguous, SnapshotUnknown
from unstoppable.domain.names import ResourceName
from unstoppable.domain.snapshot import Snapshot

LATEST = "latest"
_ID = re.compile(r"[0-9a-f]{4,64}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def choose(
    snapshots: Sequence[Snapshot],
    at: str,
    *,
    resource: ResourceName,
    localize: Callable[[datetime], datetime],
) -> Snapshot:
    """Return the snapshot that `at` means: `latest`, the beginning of an id, or a date.

    A date means the newest snapshot at or before it, a day without a time its end; `localize`
    gives a moment without an offset the reader's zone.
    An incomplete snapshot is chosen by its id alone.
    Raises MomentInvalid, SnapshotUnknown or SnapshotAmbiguous.
    """
    if _ID.fullmatch(at.lower()):
        return _by_id(snapshots, at.lower(), resource)
    until = None if at == LATEST else moment(at, localize)
    complete = [
        snapshot
        for snapshot in snapshots
        if not snapshot.is_incomplete and (until is None or snapshot.time <= until)
    ]
    if not complete:
        raise SnapshotUnknown(resource=resource, at=at)
    return max(complete, key=lambda snapshot: snapshot.age_key)


def moment(at: str, localize: Callable[[datetime], datetime]) -> datetime:
    """Return the moment written as `at`; raises MomentInvalid."""
    try:
        written = datetime.fromisoformat(at)
        if _DATE.fullmatch(at):
            written += timedelta(days=1, microseconds=-1)
        return localize(written) if written.tzinfo is None else written
    except (ValueError, OverflowError) as error:
        raise MomentInvalid(at=at) from error


def _by_id(snapshots: Sequence[Snapshot], prefix: str, resource: ResourceName) -> Snapshot:
    matching = [snapshot for snapshot in snapshots if snapshot.id.startswith(prefix)]
    if not matching:
        raise SnapshotUnknown(resource=resource, at=prefix)
    if len(matching) > 1:
        raise SnapshotAmbiguous(resource=resource, at=prefix, count=len(matching))
    return matching[0]
