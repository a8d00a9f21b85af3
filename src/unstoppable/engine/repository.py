"""An open repository, and what can be done without one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

import unstoppable_engine

from unstoppable.domain import errors
from unstoppable.domain.entry import Entry
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins
from unstoppable.domain.rotation import Part
from unstoppable.domain.run import Run
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
from unstoppable.domain.source_errors import ServerUnavailable
from unstoppable.engine.places import Places, Source, Target, Watch, cold, source_place
from unstoppable.engine.translation import copy, issues, translated

_Item_co = TypeVar("_Item_co", covariant=True)
_Raw_co = TypeVar("_Raw_co", covariant=True)


class _Found(Protocol[_Raw_co]):
    """The engine's streams."""

    def __next__(self) -> _Raw_co: ...
    def issues(self) -> tuple[list[unstoppable_engine.Issue], int, int]: ...
    def close(self) -> None: ...


def generate_root_secret() -> bytes:
    """Return 32 bytes from the operating system's generator."""
    return unstoppable_engine.generate_root_secret()


def derive_key(root_secret: bytes, places: Places) -> bytes:
    """Return the 64-byte key of the repository; raises Refused for a secret nobody generated."""
    with translated(places.resource):
        return unstoppable_engine.derive_repository_key(root_secret, places.birth)


def fingerprint(key: bytes, resource: ResourceName) -> str:
    """Return the 64 hex digits that name a key without telling it; raises Refused."""
    with translated(resource):
        return unstoppable_engine.fingerprint(key)


def create(places: Places, key: bytes, created_at: datetime) -> Pins:
    """Create the repository; returns the pins to keep.

    Goes on where an earlier creation was interrupted; raises RepositoryExists where one is done.
    """
    with translated(places.resource):
        pins = unstoppable_engine.create_repository(
            cold=cold(places.cold),
            hot=None if places.hot is None else str(places.hot),
            key=key,
            birth=places.birth,
            created_at_seconds=int(created_at.timestamp()),
        )
    return copy(Pins, pins)


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
        with translated(places.resource):
            opened = unstoppable_engine.Repository.open(
                cold=cold(places.cold),
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
        return copy(Pins, self._opened.pins)

    def backup(self, source: Source, run: Run, watch: Watch) -> Stored:
        """Store the source as a snapshot and prove it on cold.

        Cancelled while reading it still stores one, tagged `incomplete`.
        Raises SourceUnavailable, StorageFailed, RepositoryDamaged or Cancelled.
        """
        is_server = isinstance(source.place, FtpsSource)
        unavailable = ServerUnavailable if is_server else errors.SourceUnavailable
        with translated(self._resource, unavailable=unavailable):
            summary = self._opened.backup(
                source_place(source.place),
                run_id=run.id,
                started_at_seconds=int(run.started_at.timestamp()),
                exclude=source.exclude,
                own_folders=[str(folder) for folder in source.own_folders],
                one_file_system=source.one_file_system,
                max_shrink_percent=source.max_shrink_percent,
                progress=watch.tell,
                cancel=watch.cancel,
            )
        told, tags = issues(summary.issues), tuple(summary.tags)
        return copy(Stored, summary, issues=told, tags=tags)

    def snapshots(self) -> tuple[list[Snapshot], tuple[Issue, ...]]:
        """Return the snapshots, oldest first, and what among them cannot be trusted."""
        with translated(self._resource):
            snapshots, told = self._opened.snapshots()
        found = [
            copy(
                Snapshot,
                snapshot,
                time=datetime.fromtimestamp(snapshot.time_seconds, UTC),
                tags=tuple(snapshot.tags),
            )
            for snapshot in snapshots
        ]
        return sorted(found, key=lambda snapshot: snapshot.age_key), issues(told)

    def restore(
        self, snapshot_id: str, target: Target, *, path: bytes | None, exact: bool, watch: Watch
    ) -> Restored:
        """Write what a snapshot holds, or `path` within it, directly into the target.

        Raises Refused for an unknown path, TargetOccupied, StorageFailed, RepositoryDamaged or
        CutOff.
        """
        with translated(self._resource, cancelled=errors.CutOff):
            summary = self._opened.restore(
                snapshot_id,
                bytes(target.folder),
                path=path,
                exact=exact,
                overwrite=target.overwrite,
                progress=watch.tell,
                cancel=watch.cancel,
            )
        return copy(Restored, summary, issues=issues(summary.issues))

    def plan(
        self, snapshot_id: str, *, path: bytes | None, exact: bool, watch: Watch
    ) -> RestorePlan:
        """Return what a restore would write, from the trees alone.

        Raises Refused for an unknown path, StorageFailed, RepositoryDamaged or ReadingCancelled.
        """
        with translated(self._resource, cancelled=errors.ReadingCancelled):
            plan = self._opened.plan(
                snapshot_id, path=path, exact=exact, progress=watch.tell, cancel=watch.cancel
            )
        return copy(RestorePlan, plan, issues=issues(plan.issues))

    def entries(self, snapshot_id: str, *, path: bytes) -> "Stream[list[Entry]]":
        """Return the entry at `path` and all below it: a folder, its files, then its folders.

        What is taken from it raises Refused for an unknown path, StorageFailed or
        RepositoryDamaged.
        """
        with translated(self._resource):
            found = self._opened.entries(snapshot_id, path=path)
        return Stream(found, _entries, self._resource)

    def search(self, pattern: str, snapshot_ids: Sequence[str]) -> "Stream[list[Entry]]":
        """Return each version of every path that matches, with the first snapshot it stands in.

        What is taken from it raises Refused for a pattern that cannot be used, StorageFailed or
        RepositoryDamaged.
        """
        with translated(self._resource):
            found = self._opened.search(pattern, snapshot_ids)
        return Stream(found, _entries, self._resource)

    def dump(self, snapshot_id: str, path: bytes) -> "Stream[bytes]":
        """Return the content of a file, or of a folder as a tar archive, in chunks.

        What is taken from it raises Refused for an unknown path, StorageFailed or, after what
        was right, RepositoryDamaged.
        """
        with translated(self._resource):
            found = self._opened.dump(snapshot_id, path)
        return Stream(found, bytes, self._resource)

    def check(self, *, part: Part | None, watch: Watch) -> Checked:
        """Check snapshots, trees, index and packs; of one part of the packs also every byte.

        Raises StorageFailed or ReadingCancelled.
        """
        with translated(self._resource, cancelled=errors.ReadingCancelled):
            summary = self._opened.check(
                read_data=None if part is None else (part.number, part.count),
                progress=watch.tell,
                cancel=watch.cancel,
            )
        return copy(Checked, summary, issues=issues(summary.issues))

    def rebuild_hot(self, hot: Path, *, dry_run: bool, watch: Watch) -> Rebuilt:
        """Make the cache in `hot` what it should be; this repository was opened without it.

        Raises Refused where it holds a repository, StorageFailed or CutOff.
        """
        with translated(self._resource, cancelled=errors.CutOff):
            summary = self._opened.rebuild_hot(
                str(hot), dry_run=dry_run, progress=watch.tell, cancel=watch.cancel
            )
        return copy(Rebuilt, summary, issues=issues(summary.issues))


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
        with translated(self._resource, cancelled=errors.ReadingCancelled):
            return self._convert(next(self._found))

    @property
    def left_out(self) -> LeftOut:
        """What was left out; nothing before the end."""
        told, issue_count, note_count = self._found.issues()
        return LeftOut(issues=issues(told), issue_count=issue_count, note_count=note_count)


def _entries(batch: Sequence[unstoppable_engine.Entry]) -> list[Entry]:
    names = Entry.__slots__  # looked up once: there may be millions
    return [Entry(**{name: getattr(entry, name) for name in names}) for entry in batch]
