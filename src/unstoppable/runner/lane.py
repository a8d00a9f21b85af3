"""The lane of a customer: whoever starts it, one run at a time.

The kernel holds the lock and gives it back however the holder dies.
What the file says tells which run that is, and never decides who may go on.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from unstoppable.domain.errors import Busy, FolderUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.run import Run
from unstoppable.runner.files import make_private_folder

FILE_NAME = "lane.lock"
_LARGEST_NOTE_BYTES = 4096
_TRIES = 5
_PAUSE_SECONDS = 0.05
"""`is_held` takes the lock for a moment, and a holder writes its name just after it got it."""
UNKNOWN = ""
_NOBODY_KNOWN = "another run holds its lane"


def lane_file(hot: Path, resource: ResourceName) -> Path:
    """Return where the lane of the resource's customer lies."""
    return hot / resource.customer / FILE_NAME


@contextmanager
def hold(path: Path, run: Run) -> Iterator[None]:
    """Keep the lane while the context lasts; raises Busy if a run holds it, or FolderUnusable."""
    make_private_folder(path.parent)
    lock = _lock(path, run.resource)
    try:
        _write(lock, _note(run))
        yield
    finally:
        _write(lock, b"")
        os.close(lock)


def is_held(path: Path) -> bool:
    """Return whether somebody holds the lane now; raises FolderUnusable."""
    return _look(path) is not None


def holder(path: Path, *, tries: int = _TRIES) -> str | None:
    """Return the id of the run that holds the lane now; None where nobody does.

    Empty where somebody does who did not say so yet, or not at all; raises FolderUnusable.
    """
    for _ in range(tries):
        note = _look(path)
        if note is None:
            return None
        if (run := _run_of(note)) is not None:
            return run
        time.sleep(_PAUSE_SECONDS)
    return UNKNOWN


def known_holder(hot: Path, resource: ResourceName, *, tries: int = _TRIES) -> str | None:
    """Return the same of a resource's lane; None also where this user may not look at it.

    For whoever only tells or foresees: a run that takes the lane is told what is in the way.
    """
    try:
        return holder(lane_file(hot, resource), tries=tries)
    except FolderUnusable:
        return None


def _look(path: Path) -> bytes | None:
    """Return what the holder wrote; None where nobody holds it."""
    try:
        is_there = path.exists()
    except OSError as error:  # a folder that this user may not enter
        raise FolderUnusable(path=path, cause=error.strerror) from error
    if not is_there:
        return None
    lock = _open(path, os.O_RDWR)
    try:
        if _try_lock(lock, fcntl.LOCK_SH):
            return None
        return os.pread(lock, _LARGEST_NOTE_BYTES, 0)
    finally:
        os.close(lock)


def _run_of(note: bytes) -> str | None:
    try:
        return str(json.loads(note)["run"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _lock(path: Path, resource: ResourceName) -> int:
    holder = _NOBODY_KNOWN
    for _ in range(_TRIES):
        lock = _open(path, os.O_RDWR | os.O_CREAT)
        # A file that was removed between open and lock would lock nobody out.
        if _try_lock(lock, fcntl.LOCK_EX) and _is_in_place(path, lock):
            return lock
        holder = _holder(lock)
        os.close(lock)
        time.sleep(_PAUSE_SECONDS)
    raise Busy(resource=resource, holder=holder)


def _open(path: Path, flags: int) -> int:
    try:
        lock = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise FolderUnusable(path=path, cause="it is not a file")
    return lock


def _try_lock(lock: int, operation: int) -> bool:
    try:
        fcntl.flock(lock, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_in_place(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(lock))
    except FileNotFoundError:
        return False


def _note(run: Run) -> bytes:
    note = {"pid": run.pid, "run": run.id, "since": run.started_at.isoformat()}
    return json.dumps(note).encode()


def _write(lock: int, note: bytes) -> None:
    """Write who holds the lane; a full disk must not stop a run that needs no room for it."""
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, note, 0)
    except OSError:
        os.ftruncate(lock, 0)


def _holder(lock: int) -> str:
    """Return who the file says holds the lane; it may be empty, old or garbage."""
    try:
        note = json.loads(os.pread(lock, _LARGEST_NOTE_BYTES, 0))
        since = datetime.fromisoformat(note["since"]).astimezone(UTC)
        return f"run {note['run']} since {since.astimezone():%H:%M:%S} by pid {int(note['pid'])}"
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return _NOBODY_KNOWN
