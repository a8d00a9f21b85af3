"""What the engine tells about snapshots, backups, restores and checks."""

from dataclasses import dataclass
from datetime import datetime

from unstoppable.domain.outcome import INCOMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One path and what happened to it."""

    kind: str
    path: bytes
    """Relative to the source or to what was restored; an object's name for damage."""
    message: str
    is_note: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot in the repository."""

    id: str
    time: datetime
    """When its run started, UTC."""
    customer: str
    resource: str
    tags: tuple[str, ...]
    run_id: str
    files_total: int | None
    """None in a snapshot of a program that wrote no summary."""
    bytes_total: int | None

    @property
    def age_key(self) -> tuple[datetime, str]:
        """What snapshots are ordered by, oldest first; run ids tell those of one second apart."""
        return self.time, self.run_id

    @property
    def is_incomplete(self) -> bool:
        """Whether its run ended early."""
        return INCOMPLETE in self.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A snapshot that a run stored and proved on cold."""

    snapshot_id: str
    tags: tuple[str, ...]
    issues: tuple[Issue, ...]
    """The first 10,000 at most."""
    issue_count: int
    note_count: int
    files_total: int
    files_new: int
    files_changed: int
    files_unchanged: int
    bytes_total: int
    bytes_read: int
    bytes_added: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore wrote."""

    files: int
    folders: int
    others: int
    bytes_written: int
    """Bytes of all files, those that were right already included."""
    bytes_kept: int
    """Bytes of them that were right already."""
    issues: tuple[Issue, ...]
    issue_count: int
    note_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check read and found; every issue is damage."""

    snapshots: int
    objects: int
    bytes_read: int
    issues: tuple[Issue, ...]
    issue_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was done to the cache; every issue is damage in cold."""

    kept: int
    filled: int
    filled_bytes: int
    set_aside: int
    issues: tuple[Issue, ...]
    issue_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a restore would write."""

    files: int
    folders: int
    others: int
    bytes_total: int
    """Of all files; one that has several names counts once."""
    issues: tuple[Issue, ...]
    issue_count: int
    note_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What a listing, a search or a dump could not tell or give."""

    issues: tuple[Issue, ...]
    issue_count: int
    note_count: int
