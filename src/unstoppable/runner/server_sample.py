"""Proof by example, of a server: files chosen at random come back from cold as it has them."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

from unstoppable.domain.entry import Entry
from unstoppable.domain.errors import Refused
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.domain.source_errors import ServerUnavailable
from unstoppable.domain.text import printable
from unstoppable.engine import Cancel, Repository, ServerEntry, ServerVisit
from unstoppable.runner.sample import (
    MOST_BYTES_OF_FILE,
    MOST_TRIES,
    Compared,
    Sample,
    gather,
)

_FURTHEST_ZONE = timedelta(hours=15)
"""A server may take its local time for UTC."""


def restore_server_sample(
    repository: Repository, record: RunRecord, looking: "Looking", *, chance: Random, cancel: Cancel
) -> Sample:
    """Restore some files of the snapshot that a run has made, and compare them with the server's.

    As restore_sample of a folder. What has another size or time by now says nothing, and neither
    does what the server does not give. Raises ServerUnavailable, StorageFailed or
    RepositoryDamaged.
    """
    looks = (
        looking.compare(repository, record, path, listed) for path, listed in looking.choose(chance)
    )
    return gather(looks, cancel)


class Looking:
    """Looks around at a server; each folder is listed once."""

    def __init__(self, visit: ServerVisit, *, is_whole: bool) -> None:
        self._visit = visit
        self._is_whole = is_whole
        """Whether nothing is left out of backups on purpose."""
        self._listed: dict[bytes, list[ServerEntry]] = {}

    def choose(self, chance: Random) -> Iterator[tuple[bytes, ServerEntry]]:
        """Yield different files: each time from the top down, one entry at random."""
        chosen: set[bytes] = set()
        for _ in range(MOST_TRIES):
            path, entry = self._descend(chance)
            if entry is not None and path not in chosen:
                chosen.add(path)
                yield path, entry

    def compare(
        self, repository: Repository, record: RunRecord, path: bytes, listed: ServerEntry
    ) -> Compared | None:
        """Return whether a file came back as the server has it; None where that says nothing."""
        is_same = self._is_same(repository, record, path, listed)
        if is_same is None:
            return None
        size_bytes = listed.size_bytes or 0
        return Compared(path=printable(path), size_bytes=size_bytes, is_same=is_same)

    def _is_same(
        self, repository: Repository, record: RunRecord, path: bytes, listed: ServerEntry
    ) -> bool | None:
        snapshot_id = record.snapshot_id or ""
        try:
            entry = _stored(repository, snapshot_id, path)
        except Refused:  # it is not there
            return False if self._is_missed(record, listed) else None
        if entry.size_bytes != listed.size_bytes or not _is_of(entry, listed):
            return None
        try:
            content = self._visit.read(path, most_bytes=MOST_BYTES_OF_FILE)
            with repository.dump(snapshot_id, path) as chunks:
                is_same = b"".join(chunks) == content
            return is_same if is_same or self._is_there_still(path, listed) else None
        except ServerUnavailable:
            return None

    def _is_missed(self, record: RunRecord, listed: ServerEntry) -> bool:
        """Return whether nothing explains that a file is not in the snapshot."""
        newest = (record.run.started_at - _FURTHEST_ZONE).timestamp()
        is_old = listed.modified_seconds is not None and listed.modified_seconds < newest
        return is_old and self._is_whole and record.outcome is Outcome.SUCCEEDED

    def _is_there_still(self, path: bytes, listed: ServerEntry) -> bool:
        entries, _ = self._visit.folder(path.rpartition(b"/")[0])
        return listed in entries

    def _descend(self, chance: Random) -> tuple[bytes, ServerEntry | None]:
        folder = b""
        while entries := self._list(folder):
            entry = chance.choice(entries)
            path = entry.path_in(folder)
            if entry.kind != "folder":
                is_small = (entry.size_bytes or 0) <= MOST_BYTES_OF_FILE
                return path, entry if entry.kind == "file" and is_small else None
            folder = path
        return folder, None

    def _list(self, folder: bytes) -> list[ServerEntry]:
        if folder not in self._listed:
            try:
                self._listed[folder], _ = self._visit.folder(folder)
            except ServerUnavailable:
                if not folder:
                    raise
                # That it may not be listed the backup told.
                self._listed[folder] = []
        return self._listed[folder]


def _stored(repository: Repository, snapshot_id: str, path: bytes) -> Entry:
    with repository.entries(snapshot_id, path=path) as entries:
        return next(entries)[0]


def _is_of(entry: Entry, listed: ServerEntry) -> bool:
    """Return whether a file was stored as it is listed now; nobody knows it of one without time."""
    return entry.modified_seconds is not None and entry.modified_seconds == listed.modified_seconds
