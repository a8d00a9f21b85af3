"""The guard for a mount that is not there: without it an unmounted disk looks like deletion."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from unstoppable.domain import mounts
from unstoppable.domain.errors import FolderUnusable, JournalUnusable, UnstoppableError
from unstoppable.domain.mount_errors import MountsUnknown, SourceUnmounted
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import INCOMPLETE
from unstoppable.domain.snapshot import Issue, Stored
from unstoppable.engine import Source
from unstoppable.runner.run_journal import RunJournal

MOUNTINFO = Path("/proc/self/mountinfo")
UNMOUNTED, MOUNTS_UNKNOWN = "unmounted", "mounts-unknown"
_MESSAGE = (
    "was a mount point at the last backup and is none now: "
    "what was mounted there is missing from this backup"
)


class MountGuard:
    """Compares what is mounted with what was at the last backup, before a run and after it.

    A run that accepts that its source shrank accepts this as well; of a server nothing is mounted
    here.
    """

    def __init__(self, journal: RunJournal, resource: ResourceName, source: Source) -> None:
        self._journal, self._resource, self.source = journal, resource, source
        self._remembered: frozenset[bytes] = frozenset()
        self._looks: list[Mapping[bytes, str]] = []
        self.failure: UnstoppableError | None = None
        """Why it is not known what should be mounted, or will not be next time; None if it is."""

    def check_source(self) -> None:
        """Look what is mounted; raises SourceUnmounted where what the source lay on is not."""
        place = self.source.place
        if not isinstance(place, Path):
            return
        self._scope, before = _scope(place, self.source), self._look()
        try:
            self._remembered = self._journal.mounts(self._resource)
        except JournalUnusable as error:
            self.failure = error
        for point in sorted(self._missing(before)):
            if mounts.is_within(self._scope.folder, point):
                what = "was a mount point"
                if point != self._scope.folder:
                    what = f"lay below {os.fsdecode(point)}, which was a mount point"
                raise SourceUnmounted(source=place, resource=self._resource, place=what)

    def judge(self, stored: Stored) -> Stored:
        """Return what was stored, with an issue for each mount that it lacks; remember the mounts.

        One is lacking that was not there before the run, or is not there after it. It is expected
        of the next run all the same. Where that is not known, now or next time, it is an issue by
        itself. A run that ended early says nothing about mounts.
        """
        if INCOMPLETE in stored.tags or not isinstance(self.source.place, Path):
            return stored
        self._look()
        missing = {point for look in self._looks for point in self._missing(look)}
        lacking = sorted(point for point in missing if self._scope.takes(point))
        there = {point for look in self._looks for point in mounts.needed(look, self._scope)}
        # Over single files services put theirs. Only what the backup went into is asked: a file
        # system that does not answer would hold the run for ever.
        # One that does not answer at all is still expected.
        kept = {point for point in there if point in self._remembered or not _is_file(point)}
        self._remember(frozenset(kept.union(lacking)))
        issues = [
            Issue(kind=UNMOUNTED, path=self._scope.below(point), message=_MESSAGE, is_note=False)
            for point in lacking
        ]
        if self.failure is not None:
            message = str(self.failure)
            issues.append(Issue(kind=MOUNTS_UNKNOWN, path=b"", message=message, is_note=False))
        return replace(
            stored,
            issues=(*issues, *stored.issues),
            issue_count=stored.issue_count + len(issues),
        )

    def _look(self) -> Mapping[bytes, str] | None:
        """Return what is mounted now, and keep it; None where that is not known."""
        try:
            look = mounts.seen(MOUNTINFO.read_bytes())
        except (OSError, ValueError) as error:
            self.failure = MountsUnknown(path=MOUNTINFO, cause=error)
            return None
        self._looks.append(look)
        return look

    def _missing(self, points: Mapping[bytes, str] | None) -> frozenset[bytes]:
        if points is None or self.source.max_shrink_percent is None:
            return frozenset()
        return mounts.missing(self._remembered, points)

    def _remember(self, points: frozenset[bytes]) -> None:
        # What could not be read is not replaced: it may hold what is missing now.
        if self.failure is None and points != self._remembered:
            try:
                self._journal.remember_mounts(self._resource, points)
            except (JournalUnusable, FolderUnusable) as error:
                self.failure = error


def _is_file(point: bytes) -> bool:
    try:
        return not stat.S_ISDIR(os.lstat(point).st_mode)
    except OSError:
        return False


def _scope(place: Path, source: Source) -> mounts.Scope:
    folder, *own = map(os.path.realpath, (place, *source.own_folders))
    return mounts.Scope(
        folder=os.fsencode(folder),
        exclude=source.exclude,
        own_folders=tuple(map(os.fsencode, own)),
        one_file_system=source.one_file_system,
    )
