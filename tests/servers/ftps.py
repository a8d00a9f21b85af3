"""The four FTPS servers: vsftpd, proftpd and pure-ftpd from Debian's packages, and pyftpdlib."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.servers.ftps_machine import first_process, libraries, make_machine, on_machine, servers
from tests.servers.ftps_server import USER_ID, FtpsServer, Options, Tls

_PASSIVE_PORTS = (10000, 29999)
"""Below those that a kernel gives to whoever asks for any."""
_OPENSSL = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = TLSv{oldest}
MaxProtocol = TLSv{newest}
"""
_VSFTPD = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=NO
local_enable=YES
chroot_local_user=YES
allow_writeable_chroot=YES
seccomp_sandbox=NO
secure_chroot_dir=/run/empty
pam_service_name=vsftpd
ssl_enable=YES
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse={reuse}
ssl_ciphers=HIGH
delay_failed_login=0
rsa_cert_file={chain}
rsa_private_key_file={key}
pasv_min_port={first}
pasv_max_port={last}
max_clients=0
max_per_ip={connections}
idle_session_timeout={idle}
use_localtime={local}
xferlog_enable=YES
log_ftp_protocol=YES
vsftpd_log_file={log}
"""
_PROFTPD = """
ServerName tests
ServerType standalone
DefaultServer on
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port {port}
User nobody
Group nogroup
AuthOrder mod_auth_unix.c
DefaultRoot ~
WtmpLog off
DelayEngine off
PidFile /run/proftpd.pid
ScoreboardFile /run/proftpd.scoreboard
SystemLog {log}
PassivePorts {first} {last}
TimeoutIdle {idle}
{limit}
ModulePath {modules}
LoadModule mod_tls.c
TLSEngine on
TLSRequired on
TLSLog {log}
TLSECCertificateFile {chain}
TLSECCertificateKeyFile {key}
{options}
"""


class _Unpacked(FtpsServer):
    """One of Debian's, on a machine that knows no user but its own."""

    def _configure(self) -> None:
        etc = self.folder / "etc"
        make_machine(etc, self.user, self.password, USER_ID, self.root)
        tls = sorted(self.options.tls)
        self._openssl.write_text(_OPENSSL.format(oldest=tls[0], newest=tls[-1]))

    @property
    def _openssl(self) -> Path:
        return self.folder / "openssl.cnf"

    def _environment(self) -> dict[str, str]:
        return {
            "LD_LIBRARY_PATH": libraries(),
            "OPENSSL_CONF": str(self._openssl),
            "TZ": self.options.local_zone or "UTC",
        }

    def _process(self) -> int:
        # Sessions of vsftpd are in no process group of ours.
        return first_process(super()._process())

    def _on_machine(self, program: str, *arguments: str) -> tuple[str, ...]:
        return on_machine(self.folder / "etc", str(servers() / "usr/sbin" / program), *arguments)


class Vsftpd(_Unpacked):
    """vsftpd, which has no MLSD."""

    name = "vsftpd"
    requires_reuse = True

    def _configure(self) -> None:
        super()._configure()
        words = {True: "YES", False: "NO"}
        settings = _VSFTPD.format(
            port=self.port,
            reuse=words[self.options.is_reuse_required],
            chain=self.certificate.chain,
            key=self.certificate.key,
            first=_PASSIVE_PORTS[0],
            last=_PASSIVE_PORTS[1],
            connections=self.options.connections_per_address,
            idle=self.options.idle_seconds,
            local=words[bool(self.options.local_zone)],
            log=self.log,
        )
        (self.folder / "vsftpd.conf").write_text(settings)

    def _argv(self) -> tuple[str, ...]:
        return self._on_machine("vsftpd", str(self.folder / "vsftpd.conf"))


class Proftpd(_Unpacked):
    """proftpd with mod_tls, without mod_tls_shmcache: with it, TLS 1.3 makes it crash."""

    name = "proftpd"
    requires_reuse = True

    def _configure(self) -> None:
        super()._configure()
        most = self.options.connections_per_address
        settings = _PROFTPD.format(
            port=self.port,
            modules=servers() / "usr/lib/proftpd",
            chain=self.certificate.chain,
            key=self.certificate.key,
            first=_PASSIVE_PORTS[0],
            last=_PASSIVE_PORTS[1],
            idle=self.options.idle_seconds,
            limit=f"MaxClientsPerHost {most}" if most else "",
            options="" if self.options.is_reuse_required else "TLSOptions NoSessionReuseRequired",
            log=self.log,
        )
        (self.folder / "proftpd.conf").write_text(settings)

    def _argv(self) -> tuple[str, ...]:
        return self._on_machine("proftpd", "-n", "-c", str(self.folder / "proftpd.conf"))


class PureFtpd(_Unpacked):
    """pure-ftpd, which never asks for a resumed session."""

    name = "pure-ftpd"

    def _argv(self) -> tuple[str, ...]:
        shown = f"{self.certificate.chain},{self.certificate.key}"
        limit = self.options.connections_per_address
        return self._on_machine(
            "pure-ftpd",
            *("-S", f"127.0.0.1,{self.port}", "-Y", "3", "-2", shown),
            *("-l", "unix", "-A", "-E", "-H", "-g", "/run/pure-ftpd.pid"),
            *("-c", "500", *(("-C", str(limit)) if limit else ())),
            # Beyond so many names or levels it says "truncated", and gives a shorter list.
            *("-L", f"{self.options.most_listed}:1000"),
            *("-I", str(-(-self.options.idle_seconds // 60))),
            *("-p", ":".join(map(str, _PASSIVE_PORTS))),
            *("-O", f"w3c:{self.log}"),
        )


class Pyftpd(FtpsServer):
    """pyftpdlib, which never asks for a resumed session, and follows every link."""

    name = "pyftpdlib"

    def _configure(self) -> None:
        tls = sorted(self.options.tls)
        settings = {
            "port": self.port,
            "root": str(self.root),
            "user": self.user,
            "password": self.password,
            "user_id": USER_ID,
            "chain": str(self.certificate.chain),
            "key": str(self.certificate.key),
            "oldest_tls": tls[0],
            "newest_tls": tls[-1],
            "connections_per_address": self.options.connections_per_address,
            "idle_seconds": self.options.idle_seconds,
        }
        self._settings.write_text(json.dumps(settings))

    @property
    def _settings(self) -> Path:
        return self.folder / "pyftpd.json"

    def _argv(self) -> tuple[str, ...]:
        return (sys.executable, str(Path(__file__).with_name("pyftpd.py")), str(self._settings))


KINDS: tuple[type[FtpsServer], ...] = (Vsftpd, Proftpd, PureFtpd, Pyftpd)
_VERSIONS: tuple[Tls, ...] = ("1.2", "1.3")


class Serve(Protocol):
    """Starts a server that ends with the story."""

    def __call__(self, kind: type[FtpsServer], options: Options | None = None) -> FtpsServer:
        """Return one over `served`; any number may run at once."""
        ...


@pytest.fixture
def served(root: Path) -> Path:
    """What the servers of a story serve: a folder, still empty, below one that all may enter."""
    folder = root / "served"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def serve(tmp_path: Path, served: Path) -> Iterator[Serve]:
    """Starts servers of any kind with any options."""
    started: list[FtpsServer] = []

    def start(kind: type[FtpsServer], options: Options | None = None) -> FtpsServer:
        folder = tmp_path / f"{kind.name}-{len(started)}"
        folder.mkdir()
        started.append(kind(folder, served, options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def vsftpd(serve: Serve) -> FtpsServer:
    """A vsftpd that requires a resumed TLS session for data."""
    return serve(Vsftpd)


@pytest.fixture
def proftpd(serve: Serve) -> FtpsServer:
    """A proftpd that requires a resumed TLS session for data."""
    return serve(Proftpd)


@pytest.fixture
def pureftpd(serve: Serve) -> FtpsServer:
    return serve(PureFtpd)


@pytest.fixture
def pyftpd(serve: Serve) -> FtpsServer:
    return serve(Pyftpd)


@pytest.fixture(
    params=[
        pytest.param((kind, version), id=f"{kind.name}-{version}")
        for kind in KINDS
        for version in _VERSIONS
    ]
)
def ftps(request: pytest.FixtureRequest, serve: Serve) -> FtpsServer:
    """Each server in turn, with TLS 1.2 alone and with TLS 1.3 alone."""
    kind, version = request.param
    return serve(kind, Options(tls=(version,)))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def each_server(request: pytest.FixtureRequest, serve: Serve) -> FtpsServer:
    """Each server in turn, with the newest TLS that it resumes sessions of."""
    return serve(request.param, Options(tls=("1.2" if request.param is PureFtpd else "1.3",)))
