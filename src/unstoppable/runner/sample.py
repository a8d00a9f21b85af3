"""Proof by example: files chosen at random come back from cold as they are in the source."""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from unstoppable.domain.entry import Entry
from unstoppable.domain.errors import Refused
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.engine import Cancel, Repository, Source

_MOST_FILES = 20
MOST_TRIES = 400
MOST_BYTES_OF_FILE = 16 << 20
_MOST_ENTRIES_OF_FOLDER = 100_000
_MOST_SECONDS = 30.0
"""Whoever sets up waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was restored and compared."""

    files: int
    size_bytes: int
    different: tuple[str, ...]
    """Paths that came back as something else, or not at all."""
    is_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A file that was restored and compared."""

    path: str
    size_bytes: int
    is_same: bool


def restore_sample(
    repository: Repository, record: RunRecord, source: Source, *, chance: Random, cancel: Cancel
) -> Sample:
    """Restore some files of the snapshot that a run has made of a folder, and compare them.

    Nothing is written: each is compared as it comes. What changed since the run started, is not
    of the backup or may not be read says nothing and is left out, and so are large files. It ends
    early when it takes long or is cancelled. Raises StorageFailed or RepositoryDamaged.
    """
    looks = (
        _compare(repository, record, source, path, before)
        for path, before in _eligible(source, record, chance)
    )
    return gather(looks, cancel)


def gather(looks: Iterator[Compared | None], cancel: Cancel) -> Sample:
    """Take so many looks at files as the sample needs; a None said nothing."""
    compared: list[Compared] = []
    deadline = time.monotonic() + _MOST_SECONDS
    while len(compared) < _MOST_FILES and time.monotonic() <= deadline and not cancel.is_set():
        try:
            look = next(looks)
        except StopIteration:
            break
        compared += [look] if look else []
    return Sample(
        files=len(compared),
        size_bytes=sum(look.size_bytes for look in compared),
        different=tuple(look.path for look in compared if not look.is_same),
        is_cancelled=cancel.is_set(),
    )


def _compare(
    repository: Repository, record: RunRecord, source: Source, path: Path, before: os.stat_result
) -> Compared | None:
    stored = os.fsencode(path.relative_to(source.folder))
    try:
        is_same = _is_same(repository, record.snapshot_id or "", stored, path)
    except Refused:  # it is not there
        if not _is_missed(path, source, record):
            return None
        is_same = False
    except OSError:  # it may not be read, which the backup told
        return None
    after = _state(path)
    if after is None or after.st_ctime_ns != before.st_ctime_ns:
        return None
    return Compared(path=str(path), size_bytes=before.st_size, is_same=is_same)


def _eligible(
    source: Source, record: RunRecord, chance: Random
) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield files that the run must have stored as they are now."""
    for path in _choose(source.folder, chance):
        found = _state(path)
        if found is None:
            continue
        is_old = found.st_ctime < record.run.started_at.timestamp()
        is_own = any(path.is_relative_to(folder) for folder in source.own_folders)
        if is_old and not is_own:
            yield path, found


def _is_missed(path: Path, source: Source, record: RunRecord) -> bool:
    """Return whether nothing explains that a file is not in the snapshot."""
    if source.exclude or record.outcome is not Outcome.SUCCEEDED:
        return False
    # What is mounted there may be left out for reasons of its own.
    above = list(path.parents)
    return not any(map(os.path.ismount, above[: above.index(source.folder)]))


def _is_same(repository: Repository, snapshot_id: str, stored: bytes, path: Path) -> bool:
    """Return whether what is stored is the file at `path`; raises Refused or OSError."""
    with os.fdopen(_open(path), "rb") as file:
        found = os.fstat(file.fileno())
        with repository.entries(snapshot_id, path=stored) as entries:
            if not _is_of(next(entries)[0], found):
                return False
        with repository.dump(snapshot_id, stored) as chunks:
            return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)


def _open(path: Path) -> int:
    """Open a file to read it, which is no access, as in a backup."""
    # Somebody may put a link or a pipe there meanwhile.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # somebody else's file
        return os.open(path, flags)


def _is_of(entry: Entry, found: os.stat_result) -> bool:
    stored = (entry.mode, entry.uid, entry.gid)
    if stored != (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid):
        return False
    # A time that the format cannot hold is not stored, which the backup told.
    return entry.modified_seconds in {None, found.st_mtime_ns // 1_000_000_000}


def _state(path: Path) -> os.stat_result | None:
    """Return what is known of a regular file that is not too large; None for anything else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) and found.st_size <= MOST_BYTES_OF_FILE else None


def _choose(source: Path, chance: Random) -> Iterator[Path]:
    """Yield different files: each time from the top down, one entry at random in each folder."""
    listed: dict[Path, list[os.DirEntry[str]]] = {}
    chosen: set[Path] = set()
    for _ in range(MOST_TRIES):
        path = _descend(source, chance, listed)
        if path is not None and path not in chosen:
            chosen.add(path)
            yield path


def _descend(
    folder: Path, chance: Random, listed: dict[Path, list[os.DirEntry[str]]]
) -> Path | None:
    while True:
        if folder not in listed:
            listed[folder] = _list(folder)
        if not listed[folder]:
            return None
        entry = chance.choice(listed[folder])
        if not entry.is_dir(follow_symlinks=False):
            return Path(entry.path) if entry.is_file(follow_symlinks=False) else None
        folder = Path(entry.path)


def _list(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(islice(entries, _MOST_ENTRIES_OF_FOLDER))
    except OSError:
        return []
