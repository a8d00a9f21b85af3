"""What the run of one resource needs of its machine; the process gives up everything else.

So whoever takes over a run, a hostile server say, finds nothing of other customers there:
neither what they back up, nor hot, cold and secrets of theirs, nor the settings, nor the journal
and the keys that sign its records: those its clerk keeps.
"""

import os
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import unstoppable
from unstoppable import engine
from unstoppable.domain.confinement import Confinement
from unstoppable.domain.errors import FolderUnusable
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.s3 import S3Cold
from unstoppable.engine import Needs, Source
from unstoppable.runner.childless import stay_childless
from unstoppable.runner.files import make_private_folder
from unstoppable.runner.plan import Installation
from unstoppable.secrets.reference import InFile

if TYPE_CHECKING:
    from unstoppable.domain.secret import Secret

_DNS = 53
_PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})
_NAMES = (
    # of servers
    *("/etc/resolv.conf", "/run/systemd/resolve", "/run/resolvconf", "/etc/hosts"),
    *("/etc/host.conf", "/etc/gai.conf", "/etc/nsswitch.conf"),
    # of users and groups, which a snapshot holds
    *("/etc/passwd", "/etc/group", "/var/lib/extrausers/passwd", "/var/lib/extrausers/group"),
    *("/var/lib/sss/mc", "/etc/userdb", "/run/userdb", "/run/systemd/userdb"),
)
_AUTHORITIES = (  # /etc/ssl and /etc/pki as a whole hold private keys as well
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/ca-certificates"),
    *("/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/cacert.pem"),
    *("/etc/pki/ca-trust/extracted", "/var/lib/ca-certificates", "/etc/security/certificates"),
    *("/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki"),
)
_MACHINE = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"),
    *("/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone"),
    *("/dev/urandom", "/proc/self"),
    # how many processors there are for it
    *("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup"),
)
_BY_ENVIRONMENT = ("SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Where the program itself lies, and what its environment has it read."""

    folders: tuple[Path, ...]
    environment: Mapping[str, str]

    @classmethod
    def this(cls) -> "Program":
        """Return what is running."""
        parts = (sysconfig.get_path(n) for n in ("stdlib", "platstdlib", "purelib", "platlib"))
        folders = (*map(Path, parts), Path(unstoppable.__path__[0]))
        return cls(folders=folders, environment=os.environ)


def needs(installation: Installation, source: Source, program: Program) -> Needs:
    """Return what a run opens, whether or not it is there.

    Of hot it is the customer's folder, where the lane lies, and of a folder cold the resource's.
    The state is everybody's, and its clerk's alone. No folder of temporary files is needed.
    """
    resource, cold = installation.resource, installation.cold
    folder = () if isinstance(source.place, FtpsSource) else (source.place,)
    by_environment = (
        Path(place)
        for name in _BY_ENVIRONMENT
        for place in program.environment.get(name, "").split(os.pathsep)
        if place.startswith("/")
    )
    read = (
        *folder,
        installation.pins_file,
        *_files(installation, source),
        *map(Path, _NAMES + _AUTHORITIES + _MACHINE),
        *by_environment,
        *program.folders,
    )
    places = () if isinstance(cold, S3Cold) else (cold / resource.customer / resource.resource,)
    return Needs(
        read=tuple(dict.fromkeys(read)),
        write=(_own(installation), *places, Path(os.devnull)),
        connect_ports=_ports(installation, source),
    )


def confine(installation: Installation, source: Source) -> Confinement:
    """Give up what a run of this resource does not need; returns what of that this kernel keeps.

    To be called before the run, and by a process that does nothing else afterwards.
    """
    with suppress(FolderUnusable):  # the run meets it as well, and tells
        make_private_folder(_own(installation))
    held = engine.confine(needs(installation, source, Program.this()), installation.resource)
    return replace(held, children=stay_childless())


def _own(installation: Installation) -> Path:
    return installation.hot / installation.resource.customer


def _files(installation: Installation, source: Source) -> Iterator[Path]:
    """Return the files of secrets and certificates that are read when they are needed."""
    secrets: list[Secret] = [installation.key.secret]
    authorities: list[str | None] = []
    if isinstance(installation.cold, S3Cold):
        cold = installation.cold
        secrets += [cold.access_key_id.secret, cold.secret_access_key.secret]
        authorities.append(cold.access.ca_file)
    if isinstance(source.place, FtpsSource):
        secrets.append(source.place.password.secret)
        authorities.append(source.place.access.ca_file)
    yield from (secret.path for secret in secrets if isinstance(secret, InFile))
    yield from (Path(path) for path in authorities if path is not None)


def _ports(installation: Installation, source: Source) -> tuple[int, ...] | None:
    if isinstance(source.place, FtpsSource):
        return None  # the server chooses those of its data connections
    if not isinstance(installation.cold, S3Cold):
        return (_DNS,)
    endpoint = urlsplit(installation.cold.access.endpoint)
    return _DNS, endpoint.port or _PORTS[endpoint.scheme]
