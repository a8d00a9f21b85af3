"""Recovery sheets on this machine: their files, and what is remembered of them in the state.

1. The folder is remembered before a file is written there: none is ever forgotten.
2. Each file is whole or not there; a writer that was killed between the two is completed by the
   next one.
3. A confirmation is remembered before the files go.
"""

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from unstoppable.domain.errors import FolderUnusable
from unstoppable.domain.mounts import answers, seen
from unstoppable.domain.names import ResourceName
from unstoppable.domain.sheet_errors import SheetExists, SheetRecordInvalid, SheetUnreadable
from unstoppable.domain.sheet_record import (
    RecordMalformed,
    SheetRecord,
    read_records,
    write_records,
)
from unstoppable.runner import files
from unstoppable.runner.mounts import MOUNTINFO

FILE_NAMES = ("recovery-sheet.html", "recovery-sheet.txt")
RECORD_NAME = "recovery-sheets.json"
_LOCK_NAME = "recovery-sheets.lock"
_LARGEST_FILE_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose sheets they are."""

    state: Path
    resource: ResourceName
    key_fingerprint: str
    """It stands in every sheet: by it one is told from those of other keys."""


def missing(owner: Owner, folder: Path) -> tuple[Path, ...]:
    """Return the files of a sheet that `write` would make in a folder; raises SheetExists."""
    return _missing(owner, _of(owner, _read(owner.state)), folder)


def write(owner: Owner, folder: Path, contents: Mapping[str, str]) -> tuple[Path, ...]:
    """Write the files of a sheet, by name, and return where they are.

    Raises SheetExists, FolderUnusable or SheetRecordInvalid.
    """
    with _records(owner) as records:
        record = _of(owner, records)
        to_write = _missing(owner, record, folder)
        files.make_private_folder(folder)
        if str(folder) not in record.folders:
            folders = (*record.folders, str(folder))
            records[owner.key_fingerprint] = replace(record, folders=folders)
            _keep(owner.state, records)
        for path in to_write:
            _write(path, contents[path.name])
    return tuple(folder / name for name in FILE_NAMES)


def confirm(owner: Owner, now: datetime) -> tuple[Path, ...]:
    """Remember that the key is on paper and delete its sheets; returns the files that went.

    Raises SheetUnreadable before anything is done, FolderUnusable or SheetRecordInvalid.
    """
    with _records(owner) as records:
        confirmed = replace(_of(owner, records), confirmed_at=now)
        lying = _lying(owner, confirmed)
        records[owner.key_fingerprint] = confirmed
        _keep(owner.state, records)
        for path in lying:
            _delete(path)
        # A folder that is not there now, on a disk that was taken out say, may come back.
        elsewhere = tuple(name for name in confirmed.folders if not Path(name).is_dir())
        records[owner.key_fingerprint] = replace(confirmed, folders=elsewhere)
        _keep(owner.state, records)
    return lying


def look(owner: Owner) -> tuple[SheetRecord, tuple[Path, ...]]:
    """Return what is remembered, and the files of sheets that lie there, whole or begun.

    Changes nothing; raises SheetUnreadable or SheetRecordInvalid.
    """
    record = _of(owner, _read(owner.state))
    return record, _lying(owner, record)


def likely(owner: Owner) -> tuple[SheetRecord, tuple[Path, ...]]:
    """Return what is remembered, and the whole files that lie there as far as that is known.

    It waits for nobody: where a server or a program would have to answer, and where nothing can be
    read, the files are taken to be there. Changes nothing; raises SheetRecordInvalid.
    """
    record = _of(owner, _read(owner.state))
    try:
        points = seen(MOUNTINFO.read_bytes())
    except (OSError, ValueError):
        points = {}
    places = [Path(folder, name) for folder in record.folders for name in FILE_NAMES]
    return record, tuple(path for path in places if _is_likely(path, owner, points))


def _is_likely(path: Path, owner: Owner, points: Mapping[bytes, str]) -> bool:
    if not answers(os.fsencode(path), points):
        return True
    try:
        return owner.key_fingerprint.encode() in (_content(path) or b"")
    except SheetUnreadable:
        return True


def _of(owner: Owner, records: Mapping[str, SheetRecord]) -> SheetRecord:
    return records.get(owner.key_fingerprint, SheetRecord(resource=owner.resource))


def _missing(owner: Owner, record: SheetRecord, folder: Path) -> tuple[Path, ...]:
    """Return what is still to be written: a writer may have been killed before or in a file."""
    paths = tuple(folder / name for name in FILE_NAMES)
    is_known = str(folder) in record.folders
    begun = [path for path in paths if is_known and _content(path) == b""]
    there = [path for path in paths if os.path.lexists(path) and path not in begun]
    is_ours = is_known and all(_is_of(path, owner) for path in there)
    if there and (not is_ours or len(there) == len(paths)):
        raise SheetExists(path=there[0])
    return tuple(path for path in paths if path not in there)


def _lying(owner: Owner, record: SheetRecord) -> tuple[Path, ...]:
    places = [Path(folder, name) for folder in record.folders for name in FILE_NAMES]
    return tuple(
        path
        for place in places
        for path in (place, *_drafts(place))
        if path != place or _is_of(place, owner)
    )


def _is_of(path: Path, owner: Owner) -> bool:
    """Return whether a file, where a sheet of this key was written, is one, or one begun.

    A file system without hard links has an empty one when its writer is killed.
    """
    content = _content(path)
    return content is not None and (not content or owner.key_fingerprint.encode() in content)


def _content(path: Path) -> bytes | None:
    """Return what a file holds, None where none is; raises SheetUnreadable."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            return file.read(_LARGEST_FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SheetUnreadable(path=path, cause=error.strerror) from error


def _drafts(path: Path) -> list[Path]:
    """Return what killed writers left of a file: it may hold the secret."""
    try:
        there = sorted(path.parent.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SheetUnreadable(path=path.parent, cause=error.strerror) from error
    start = files.draft_prefix(path)
    return [draft for draft in there if draft.name.startswith(start)]


def _write(path: Path, content: str) -> None:
    try:
        files.remove_drafts(path)
        if _content(path) == b"":
            path.unlink()
        files.write_new(path, [content.encode()])
    except FileExistsError as error:
        raise SheetExists(path=path) from error
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


def _delete(path: Path) -> None:
    try:
        path.unlink()
        files.sync_folder(path.parent)
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


@contextmanager
def _records(owner: Owner) -> Iterator[dict[str, SheetRecord]]:
    """Give the records to one process at a time."""
    files.make_private_folder(owner.state)
    path = owner.state / _LOCK_NAME
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _read(owner.state)
    finally:
        os.close(lock)


def _read(state: Path) -> dict[str, SheetRecord]:
    path = state / RECORD_NAME
    try:
        return read_records(path.read_text())
    except FileNotFoundError:
        return {}
    except (RecordMalformed, UnicodeDecodeError) as error:
        raise SheetRecordInvalid(path=path, reason=error) from error
    except OSError as error:
        raise SheetRecordInvalid(path=path, reason=error.strerror) from error


def _keep(state: Path, records: Mapping[str, SheetRecord]) -> None:
    path = state / RECORD_NAME
    try:
        files.remove_drafts(path)
        files.replace(path, write_records(records).encode())
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error
