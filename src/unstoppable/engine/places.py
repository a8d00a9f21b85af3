"""Where a call reads and writes, and who watches it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import unstoppable_engine
from unstoppable_engine import Cancel

from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.progress import Progress
from unstoppable.domain.s3 import S3Cold
from unstoppable.domain.source_errors import CertificatesUnreadable
from unstoppable.engine.translation import copy

_HOUR_SECONDS = 60 * 60
_ANY_TIME_SECONDS = 10 * 365 * 24 * _HOUR_SECONDS
"""The run as a whole has its limit, which is not the server's."""


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

    place: Path | FtpsSource
    """A folder of this machine, or of a server."""
    exclude: tuple[str, ...] = ()
    """Globs as in gitignore, relative to the source."""
    own_folders: tuple[Path, ...] = ()
    """Ours, left out where they lie inside."""
    one_file_system: bool = False
    max_shrink_percent: int | None = None
    """None accepts any shrinking, and that what was mounted is no longer."""

    @property
    def folder(self) -> Path:
        """The folder, of a source that is one of this machine."""
        if isinstance(self.place, Path):
            return self.place
        raise TypeError


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
        self.progress(copy(Progress, progress))


def cold(place: Path | S3Cold) -> str | unstoppable_engine.S3:
    """Return a place as the engine takes it; the access key of a bucket is read now."""
    if isinstance(place, Path):
        return str(place)
    said: dict[str, Any] = asdict(place.place) | asdict(place.access)
    key_id, secret = place.access_key_id.resolve(), place.secret_access_key.resolve()
    return unstoppable_engine.S3(key_id, secret, **said)


def source_place(place: Path | FtpsSource) -> bytes | unstoppable_engine.Ftps:
    """Return a source as the engine takes it; the password of a server is read now."""
    return bytes(place) if isinstance(place, Path) else server(place)


def server(source: FtpsSource, password: str | None = None) -> unstoppable_engine.Ftps:
    """Return a server as the engine takes it, with its password, which is read now, or another."""
    place, access = source.place, source.access
    return unstoppable_engine.Ftps(
        place.host,
        place.path,
        user=place.user,
        password=source.password.resolve() if password is None else password,
        port=place.port,
        authorities=None if access.ca_file is None else _authorities(Path(access.ca_file)),
        pin=access.pin,
        allow_private=access.allow_private,
        connections=access.connections,
        reread_seconds=access.reread_days * 24 * _HOUR_SECONDS,
        max_files=access.max_files,
        max_bytes=access.max_bytes,
        max_seconds=_ANY_TIME_SECONDS,
        bytes_per_second=access.bytes_per_second,
    )


def _authorities(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificatesUnreadable(path=path, cause=error.strerror) from error
