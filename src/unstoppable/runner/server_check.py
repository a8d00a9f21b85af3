"""What a server is like, and what of it would be in a backup's way."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.source_errors import ServerUnavailable
from unstoppable.domain.text import count, printable
from unstoppable.engine import ServerEntry, ServerFacts, ServerVisit

_FILES_READ = 3
_MOST_BYTES_READ = 16 << 20
_MOST_FOLDERS = 50
_MOST_SECONDS = 60.0
_CLOCKS_APART = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCheck:
    """What was found."""

    facts: ServerFacts
    listed: Counter[str]
    """Files, folders, symlinks and others, by the names of their kinds, in the folders looked at.
    """
    folders: int
    """How many folders were looked at."""
    connections: int
    """How many the server bore at once."""
    files_read: int
    problems: tuple[str, ...]
    """What a backup would tell, each in one sentence."""
    notes: tuple[str, ...]
    """What makes it slower, or may surprise."""


def check_server(source: FtpsSource, resource: ResourceName) -> ServerCheck:
    """Look at a server as a backup would, for a minute at most; nothing is changed there.

    Raises ServerUnavailable where no backup can be made at all.
    """
    visit = ServerVisit(source, resource)
    look = _Look(visit)
    look.walk()
    look.read_files()
    connections, refused = _bear(source, resource)
    facts = visit.facts
    return ServerCheck(
        facts=facts,
        listed=look.listed,
        folders=look.folders,
        connections=connections,
        files_read=look.files_read,
        problems=tuple(look.problems),
        notes=tuple(_notes(source, facts, look, connections, refused)),
    )


class _Look:
    """Walks some folders of a server, breadth first, and reads some files."""

    def __init__(self, visit: ServerVisit) -> None:
        self._visit = visit
        self._files: list[tuple[bytes, ServerEntry]] = []
        self._until = time.monotonic() + _MOST_SECONDS
        self.listed: Counter[str] = Counter()
        self.folders, self.files_read = 0, 0
        self.newest_seconds: int | None = None
        self.problems: list[str] = []

    def walk(self) -> None:
        """List folders; the first one has to be there."""
        waiting = [b""]
        while waiting and self.folders < _MOST_FOLDERS and time.monotonic() < self._until:
            folder = waiting.pop(0)
            try:
                entries, refused = self._visit.folder(folder)
            except ServerUnavailable as error:
                if not folder:
                    raise
                self.problems.append(_cause(error))
                continue
            self.folders += 1
            for name in refused:
                where = printable(folder) or "the folder"
                self.problems.append(f"{where} holds the name {name}, which no backup can hold")
            for entry in entries:
                self._see(entry.path_in(folder), entry, waiting)

    def _see(self, path: bytes, entry: ServerEntry, waiting: list[bytes]) -> None:
        self.listed[entry.kind] += 1
        match entry.kind:
            case "folder":
                waiting.append(path)
            case "other":
                self.problems.append(f"{printable(path)} is neither a file, a folder nor a link")
            case "file":
                self._files.append((path, entry))
                if entry.modified_seconds is not None:
                    self.newest_seconds = max(self.newest_seconds or 0, entry.modified_seconds)

    def read_files(self) -> None:
        """Read some files that were listed, spread over all of them."""
        small = [found for found in self._files if (found[1].size_bytes or 0) <= _MOST_BYTES_READ]
        for path, entry in small[:: max(1, len(small) // _FILES_READ)][:_FILES_READ]:
            try:
                read = len(self._visit.read(path, most_bytes=_MOST_BYTES_READ))
            except ServerUnavailable as error:
                self.problems.append(_cause(error))
                continue
            self.files_read += 1
            if read != entry.size_bytes:
                told = "nothing" if entry.size_bytes is None else str(entry.size_bytes)
                self.problems.append(f"{printable(path)}: listed were {told} bytes, {read} came")


def _bear(source: FtpsSource, resource: ResourceName) -> tuple[int, UnstoppableError | None]:
    """Return how many connections the server bears at once, up to those wanted, and why no more."""
    held = []
    for number in range(1, source.access.connections):
        try:
            held.append(ServerVisit(source, resource))
        except ServerUnavailable as error:
            return number, error
    return source.access.connections, None


def _notes(
    source: FtpsSource,
    facts: ServerFacts,
    look: _Look,
    connections: int,
    refused: UnstoppableError | None,
) -> list[str]:
    notes = []
    wanted = source.access.connections
    if refused is not None:
        notes.append(
            f"it bears {connections} of {count(wanted, 'connection')} at once: {_cause(refused)}"
        )
    if facts.transfers and not facts.resumed:
        notes.append("it resumes no TLS session, so that each file takes a whole handshake")
    if "MLST" not in facts.features:
        notes.append("it knows no MLSD: the time of each file is asked for by itself")
    if look.newest_seconds is not None:
        ahead = datetime.fromtimestamp(look.newest_seconds, UTC) - datetime.now(UTC)
        if ahead > _CLOCKS_APART:
            minutes = round(ahead / timedelta(minutes=1))
            notes.append(
                f"a file is {count(minutes, 'minute')} newer than this machine's clock: the "
                "server tells local time for UTC, its clock is wrong, or somebody set it so"
            )
    return notes


def _cause(error: UnstoppableError) -> str:
    return printable(str(error.facts.get("cause", error)))
