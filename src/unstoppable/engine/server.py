"""A look at the server that a source is on."""

from dataclasses import dataclass
from typing import Literal

import unstoppable_engine

from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.source_errors import ServerUnavailable
from unstoppable.engine.places import server
from unstoppable.engine.translation import copy, translated


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEntry:
    """An entry of a folder, as a server lists it."""

    name: bytes
    kind: Literal["file", "folder", "symlink", "other"]
    size_bytes: int | None
    modified_seconds: int | None
    """Since 1970, as the server counts them."""

    def path_in(self, folder: bytes) -> bytes:
        """Return its path where the folder has that one, which is empty for the source's own."""
        return folder + b"/" + self.name if folder else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server is like; its words are fit to be shown."""

    greeting: str
    tls_version: str
    features: tuple[str, ...]
    pin: bytes
    transfers: int
    """Data connections so far."""
    resumed: int
    """Those of them that resumed the TLS session."""


class ServerVisit:
    """One connection to a server, logged in; paths are relative to the source.

    Whatever is asked raises ServerUnavailable where the server does not do it.
    """

    def __init__(self, source: FtpsSource, resource: ResourceName) -> None:
        self._resource = resource
        place = server(source)
        with translated(resource, unavailable=ServerUnavailable):
            self._visit = unstoppable_engine.FtpsVisit(place)

    @property
    def facts(self) -> ServerFacts:
        """What the server is like, as far as it was seen."""
        return copy(ServerFacts, self._visit, features=tuple(self._visit.features))

    def folder(self, path: bytes) -> tuple[list[ServerEntry], list[str]]:
        """Return what a folder holds, and the names in it that no backup can hold."""
        with translated(self._resource, unavailable=ServerUnavailable):
            found, refused = self._visit.folder(path)
        return [copy(ServerEntry, entry) for entry in found], refused

    def read(self, path: bytes, *, most_bytes: int) -> bytes:
        """Return the content of a file that has no more bytes than that."""
        with translated(self._resource, unavailable=ServerUnavailable):
            return self._visit.read(path, most_bytes)


def seen_pin(source: FtpsSource, resource: ResourceName) -> bytes:
    """Return the SHA-256 of the public key that a server shows to anybody; nobody logs in.

    Raises ServerUnavailable.
    """
    place = server(source, password="")
    with translated(resource, unavailable=ServerUnavailable):
        return unstoppable_engine.ftps_pin(place)
