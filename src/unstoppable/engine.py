"""The engine in our own values and errors; the only module that knows `unstoppable_engine`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, TypeVar

import unstoppable_engine
from unstoppable_engine import Cancel, claim_name, claimed_snapshot

from unstoppable.domain import errors
from unstoppable.domain.entry import Entry
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins
from unstoppable.domain.progress import Progress
from unstoppable.domain.rotation import Part
from unstoppable.domain.run import Run
from unstoppable.domain.s3 import SCHEME, S3Cold
from unstoppable.domain.snapshot import (
    Checked,
    Issue,
    LeftOut,
    Rebuilt,
    Restored,
    RestorePlan,
    Snapshot,
    Stored,
)
from unstoppable.domain.storage_errors import BucketFailed, StorageDenied

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Value = TypeVar("_Value", bound=DataclassInstance)

__all__ = ["Cancel", "claim_name", "claimed_snapshot"]
"""The engine's own names that are used as they are."""

_Item_co = TypeVar("_Item_co", covariant=True)
_Raw_co = TypeVar("_Raw_co", covariant=True)


class _Found(Protocol[_Raw_co]):
    """The engine's streams."""

    def __next__(self) -> _Raw_co: ...
    def issues(self) -> tuple[list[unstoppable_engine.Issue], int, int]: ...
    def close(self) -> None: ...


_ERRORS: dict[type[unstoppable_engine.EngineError], type[errors.UnstoppableError]] = {
    unstoppable_engine.WrongKey: errors.WrongKey,
    unstoppable_engine.PinBroken: errors.PinBroken,
    unstoppable_engine.NoRepository: errors.NoRepository,
    unstoppable_engine.RepositoryExists: errors.RepositoryExists,
    unstoppable_engine.SourceUnavailable: errors.SourceUnavailable,
    unstoppable_engine.StorageFull: errors.StorageFull,
    unstoppable_engine.StorageDenied: StorageDenied,
    unstoppable_engine.StorageError: errors.StorageFailed,
    unstoppable_engine.RepositoryDamaged: errors.RepositoryDamaged,
    unstoppable_engine.TargetOccupied: errors.TargetOccupied,
    unstoppable_engine.InvalidInput: errors.Refused,
}
"""What is not in it is a fault of the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the repository of a resource lies: its own folders, generation included."""

    resource: ResourceName
    generation: int
    cold: Path | S3Cold
    hot: Path | None
    """None to do without the cache."""

    @property
    def birth(self) -> unstoppable_engine.Birth:
        """Who the repository was made for."""
        return unstoppable_engine.Birth(
            self.resource.customer, self.resource.resource, self.generation
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is backed up and how it is read."""

    folder: Path
    exclude: tuple[str, ...] = ()
    """Globs as in gitignore, relative to the folder."""
    own_folders: tuple[Path, ...] = ()
    """Ours, left out where they lie inside."""
    one_file_system: bool = False
    max_shrink_percent: int | None = None
    """None accepts any shrinking, and that what was mounted is no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a restore goes."""

    folder: Path
    overwrite: bool
    """Replace what differs in a folder that is not empty; what the snapshot lacks stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who follows a call and who may stop it."""

    cancel: Cancel
    progress: Callable[[Progress], None]

    def tell(self, progress: unstoppable_engine.Progress) -> None:
        """Pass the engine's progress on."""
        self.progress(_copy(Progress, progress))


def generate_root_secret() -> bytes:
    """Return 32 bytes from the operating system's generator."""
    return unstoppable_engine.generate_root_secret()


def derive_key(root_secret: bytes, places: Places) -> bytes:
    """Return the 64-byte key of the repository; raises Refused for a secret nobody generated."""
    with _translated(places.resource):
        return unstoppable_engine.derive_repository_key(root_secret, places.birth)


def fingerprint(key: bytes, resource: ResourceName) -> str:
    """Return the 64 hex digits that name a key without telling it; raises Refused."""
    with _translated(resource):
        return unstoppable_engine.fingerprint(key)


def create(places: Places, key: bytes, created_at: datetime) -> Pins:
    """Create the repository; returns the pins to keep.

    Goes on where an earlier creation was interrupted; raises RepositoryExists where one is done.
    """
    with _translated(places.resource):
        pins = unstoppable_engine.create_repository(
            cold=_cold(places.cold),
            hot=None if places.hot is None else str(places.hot),
            key=key,
            birth=places.birth,
            created_at_seconds=int(created_at.timestamp()),
        )
    return _copy(Pins, pins)


class Repository:
    """An open repository."""

    def __init__(self, opened: unstoppable_engine.Repository, resource: ResourceName) -> None:
        self._opened = opened
        self._resource = resource

    @classmethod
    def open(
        cls, places: Places, key: bytes, pins: Pins | None, *, mode: Literal["read", "append"]
    ) -> Self:
        """Open what lies there, if key, birth names and pins are right; None learns the pins.

        Raises NoRepository, WrongKey, PinBroken, StorageFailed or RepositoryDamaged, for a bucket
        also CredentialMissing, CredentialInvalid or SecretUnreadable.
        """
        with _translated(places.resource):
            opened = unstoppable_engine.Repository.open(
                cold=_cold(places.cold),
                hot=None if places.hot is None else str(places.hot),
                key=key,
                pins=None if pins is None else unstoppable_engine.Pins(**asdict(pins)),
                birth=places.birth,
                mode=mode,
            )
        return cls(opened, places.resource)

    @property
    def pins(self) -> Pins:
        """The pins as found."""
        return _copy(Pins, self._opened.pins)

    def backup(self, source: Source, run: Run, watch: Watch) -> Stored:
        """Store the source as a snapshot and prove it on cold.

        Cancelled while reading it still stores one, tagged `incomplete`.
        Raises SourceUnavailable, StorageFailed, RepositoryDamaged or Cancelled.
        """
        with _translated(self._resource):
            summary = self._opened.backup(
                bytes(source.folder),
                run_id=run.id,
                started_at_seconds=int(run.started_at.timestamp()),
                exclude=source.exclude,
                own_folders=[str(folder) for folder in source.own_folders],
                one_file_system=source.one_file_system,
                max_shrink_percent=source.max_shrink_percent,
                progress=watch.tell,
                cancel=watch.cancel,
            )
        issues, tags = _issues(summary.issues), tuple(summary.tags)
        return _copy(Stored, summary, issues=issues, tags=tags)

    def snapshots(self) -> tuple[list[Snapshot], tuple[Issue, ...]]:
        """Return the snapshots, oldest first, and what among them cannot be trusted."""
        with _translated(self._resource):
            snapshots, issues = self._opened.snapshots()
        found = [
            _copy(
                Snapshot,
                snapshot,
                time=datetime.fromtimestamp(snapshot.time_seconds, UTC),
                tags=tuple(snapshot.tags),
            )
            for snapshot in snapshots
        ]
        return sorted(found, key=lambda snapshot: snapshot.age_key), _issues(issues)

    def restore(
        self, snapshot_id: str, target: Target, *, path: bytes | None, exact: bool, watch: Watch
    ) -> Restored:
        """Write what a snapshot holds, or `path` within it, directly into the target.

        Raises Refused for an unknown path, TargetOccupied, StorageFailed, RepositoryDamaged or
        CutOff.
        """
        with _translated(self._resource, cancelled=errors.CutOff):
            summary = self._opened.restore(
                snapshot_id,
                bytes(target.folder),
                path=path,
                exact=exact,
                overwrite=target.overwrite,
                progress=watch.tell,
                cancel=watch.cancel,
            )
        return _copy(Restored, summary, issues=_issues(summary.issues))

    def plan(
        self, snapshot_id: str, *, path: bytes | None, exact: bool, watch: Watch
    ) -> RestorePlan:
        """Return what a restore would write, from the trees alone.

        Raises Refused for an unknown path, StorageFailed, RepositoryDamaged or ReadingCancelled.
        """
        with _translated(self._resource, cancelled=errors.ReadingCancelled):
            plan = self._opened.plan(
                snapshot_id, path=path, exact=exact, progress=watch.tell, cancel=watch.cancel
            )
        return _copy(RestorePlan, plan, issues=_issues(plan.issues))

    def entries(self, snapshot_id: str, *, path: bytes) -> "Stream[list[Entry]]":
        """Return the entry at `path` and all below it: a folder, its files, then its folders.

        What is taken from it raises Refused for an unknown path, StorageFailed or
        RepositoryDamaged.
        """
        with _translated(self._resource):
            found = self._opened.entries(snapshot_id, path=path)
        return Stream(found, _entries, self._resource)

    def search(self, pattern: str, snapshot_ids: Sequence[str]) -> "Stream[list[Entry]]":
        """Return each version of every path that matches, with the first snapshot it stands in.

        What is taken from it raises Refused for a pattern that cannot be used, StorageFailed or
        RepositoryDamaged.
        """
        with _translated(self._resource):
            found = self._opened.search(pattern, snapshot_ids)
        return Stream(found, _entries, self._resource)

    def dump(self, snapshot_id: str, path: bytes) -> "Stream[bytes]":
        """Return the content of a file, or of a folder as a tar archive, in chunks.

        What is taken from it raises Refused for an unknown path, StorageFailed or, after what
        was right, RepositoryDamaged.
        """
        with _translated(self._resource):
            found = self._opened.dump(snapshot_id, path)
        return Stream(found, bytes, self._resource)

    def check(self, *, part: Part | None, watch: Watch) -> Checked:
        """Check snapshots, trees, index and packs; of one part of the packs also every byte.

        Raises StorageFailed or ReadingCancelled.
        """
        with _translated(self._resource, cancelled=errors.ReadingCancelled):
            summary = self._opened.check(
                read_data=None if part is None else (part.number, part.count),
                progress=watch.tell,
                cancel=watch.cancel,
            )
        return _copy(Checked, summary, issues=_issues(summary.issues))

    def rebuild_hot(self, hot: Path, *, dry_run: bool, watch: Watch) -> Rebuilt:
        """Make the cache in `hot` what it should be; this repository was opened without it.

        Raises Refused where it holds a repository, StorageFailed or CutOff.
        """
        with _translated(self._resource, cancelled=errors.CutOff):
            summary = self._opened.rebuild_hot(
                str(hot), dry_run=dry_run, progress=watch.tell, cancel=watch.cancel
            )
        return _copy(Rebuilt, summary, issues=_issues(summary.issues))


class Stream(Generic[_Item_co]):
    """What comes from the engine while it works on; left early, the work is stopped."""

    def __init__(
        self,
        found: "_Found[_Raw_co]",
        convert: "Callable[[_Raw_co], _Item_co]",
        resource: ResourceName,
    ) -> None:
        self._found: _Found[Any] = found
        self._convert: Callable[[Any], _Item_co] = convert
        self._resource = resource

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._found.close()

    def __iter__(self) -> Iterator[_Item_co]:
        return self

    def __next__(self) -> _Item_co:
        with _translated(self._resource, cancelled=errors.ReadingCancelled):
            return self._convert(next(self._found))

    @property
    def left_out(self) -> LeftOut:
        """What was left out; nothing before the end."""
        issues, issue_count, note_count = self._found.issues()
        return LeftOut(issues=_issues(issues), issue_count=issue_count, note_count=note_count)


def _cold(place: Path | S3Cold) -> str | unstoppable_engine.S3:
    """Return a place as the engine takes it; the access key of a bucket is read now."""
    if isinstance(place, Path):
        return str(place)
    said: dict[str, Any] = asdict(place.place) | asdict(place.access)
    key_id, secret = place.access_key_id.resolve(), place.secret_access_key.resolve()
    return unstoppable_engine.S3(key_id, secret, **said)


def _entries(batch: Sequence[unstoppable_engine.Entry]) -> list[Entry]:
    names = Entry.__slots__  # looked up once: there may be millions
    return [Entry(**{name: getattr(entry, name) for name in names}) for entry in batch]


@contextmanager
def _translated(
    resource: ResourceName, *, cancelled: type[errors.Cancelled] = errors.Cancelled
) -> Iterator[None]:
    """Raise the engine's errors as ours; `cancelled` is what a call that was stopped raises."""
    try:
        yield
    except unstoppable_engine.Cancelled as error:
        raise cancelled(resource=resource) from error
    except unstoppable_engine.EngineError as error:
        kind = _ERRORS.get(type(error), errors.Fault)
        if kind is errors.StorageFailed and SCHEME in str(error):
            kind = BucketFailed
        raise kind(resource=resource, cause=error) from error


def _issues(found: Sequence[unstoppable_engine.Issue]) -> tuple[Issue, ...]:
    return tuple(_copy(Issue, issue) for issue in found)


def _copy(value: "type[_Value]", found: object, **changed: object) -> "_Value":
    """Return the engine's object as our value, which has the same names; `changed` goes first."""
    names = [field.name for field in fields(value)]
    taken = {name: getattr(found, name) for name in names if name not in changed}
    return value(**taken, **changed)
