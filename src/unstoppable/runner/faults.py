"""What would stop a backup, found without changing anything."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from unstoppable.domain import errors
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outlook_errors import ClockBehind, FolderFull, SourceEmpty
from unstoppable.domain.record_errors import EmitterUnusable
from unstoppable.domain.text import count, size
from unstoppable.engine import Repository, ServerVisit
from unstoppable.runner import emitter_file, pins_file
from unstoppable.runner.history import CLOCK_STEP
from unstoppable.runner.plan import Installation

Faults = Iterator[errors.UnstoppableError]
_LEAST_FREE_BYTES = 64 * 2**20
"""The engine's largest objects, and what it writes before it notices that there is no room."""


def of_folder(folder: Path) -> Faults:
    """Yield what keeps this user from writing in a folder of ours, or where it would be made."""
    there = nearest(folder)
    if not there.is_dir():
        yield errors.FolderUnusable(path=there, cause="it is not a folder")
        return
    found = os.statvfs(there)
    if found.f_flag & os.ST_RDONLY:
        yield errors.FolderUnusable(path=there, cause="its file system is read-only")
    elif not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        yield errors.FolderUnusable(path=there, cause="this user may not write there")
    blocks = found.f_bfree if os.geteuid() == 0 else found.f_bavail
    if blocks * found.f_frsize < _LEAST_FREE_BYTES:
        yield FolderFull(path=there, free=size(blocks * found.f_frsize))
    elif found.f_files and not found.f_ffree:
        yield FolderFull(path=there, free="no further files")
    mode = there.stat().st_mode
    if there == folder and mode & stat.S_IWOTH:
        remedy = f"chmod o-w {folder}"
        yield errors.FileUnsafe(path=folder, reason="others may write it", remedy=remedy)


def nearest(path: Path) -> Path:
    """Return the path itself, or what is nearest above it of what is there and may be seen."""
    for above in (path, *path.parents):
        try:
            above.stat()
        except OSError:
            continue
        return above
    return Path("/")


def of_repository(installation: Installation, moment: datetime) -> Faults:
    """Yield what is wrong with pins, key and repository, and a clock that is behind it."""
    resource = installation.resource
    pins = None
    about_pins: list[errors.UnstoppableError] = []
    try:
        pins = pins_file.require(installation.pins_file, resource)
    except errors.UnstoppableError as error:
        about_pins.append(error)
    try:
        places = installation.places(pins, uses_hot=False)
        key = installation.key.of_repository(places)
        repository = Repository.open(places, key, pins, mode="read")
        snapshots, issues = repository.snapshots()
    except errors.NoRepository as error:
        # Nothing is there at all: that pins are missing too says nothing new.
        yield error
        yield from (fault for fault in about_pins if not isinstance(fault, errors.PinsMissing))
        return
    except errors.UnstoppableError as error:
        yield from (*about_pins, error)
        return
    yield from about_pins
    damaged = sum(not issue.is_note for issue in issues)
    if damaged:
        cause = f"{count(damaged, 'snapshot')} cannot be read"
        yield errors.RepositoryDamaged(resource=resource, cause=cause)
    newest = max(snapshots, key=lambda snapshot: snapshot.time, default=None)
    if newest is not None and newest.time > moment + CLOCK_STEP:
        yield ClockBehind(
            now=_told(moment),
            resource=resource,
            snapshot=newest.id[:8],
            time=_told(newest.time),
        )


def of_pins(path: Path, resource: ResourceName) -> Faults:
    """Yield what is wrong with the pins, where there is no key to look further."""
    try:
        pins_file.require(path, resource)
    except errors.UnstoppableError as error:
        yield error


def of_emitter(state: Path, customer: str) -> Faults:
    """Yield why runs would be recorded unsigned; that there is no key yet is no fault."""
    try:
        if emitter_file.is_there(state, customer):
            emitter_file.find(state, customer)
    except EmitterUnusable as error:
        yield error


def of_source(source: Path | FtpsSource, resource: ResourceName) -> Faults:
    """Yield why the source cannot be backed up; of a server its folder is listed."""
    if isinstance(source, FtpsSource):
        yield from _of_server(source, resource)
        return
    try:
        is_empty = next(source.iterdir(), None) is None
    except OSError as error:
        cause = f"{source}: {error.strerror}"
        yield errors.SourceUnavailable(resource=resource, cause=cause)
        return
    if not os.access(source, os.X_OK, effective_ids=True):
        cause = f"{source}: this user may not enter it"
        yield errors.SourceUnavailable(resource=resource, cause=cause)
    elif is_empty:
        yield SourceEmpty(source=source, resource=resource)


def _of_server(source: FtpsSource, resource: ResourceName) -> Faults:
    try:
        entries, _ = ServerVisit(source, resource).folder(b"")
    except errors.UnstoppableError as error:
        yield error
        return
    if not entries:
        yield SourceEmpty(source=source, resource=resource)


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
