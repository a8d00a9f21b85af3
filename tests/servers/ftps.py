"""Real FTPS servers over a folder, each in a process of its own on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.s3 import Certificate, free_port

USER, PASSWORD = "alice", "of these tests alone"
_BUILD = Path(__file__).with_name("ftp-servers")
_START_SECONDS = 20
# Nobody logs in by them, and they own nothing.
_SYSTEM_USER, _SYSTEM_USER_ID, _SYSTEM_GROUP_ID = "games", 5, 60


class FtpsServer(ABC):
    """A server, what it serves below `root`, and whom to trust for it."""

    user = USER
    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "served"
        self.root.mkdir(mode=0o755)
        self.certificate = Certificate.make(folder)
        self.both = folder / "both.pem"
        self.both.write_text(self.certificate.key.read_text() + self.certificate.chain.read_text())
        self.host, self.port, self.password = "127.0.0.1", free_port(), PASSWORD
        self._log = (folder / "log").open("w")
        self._running = self._start()

    @abstractmethod
    def argv(self) -> tuple[str, ...]:
        """Write what it reads when it starts; returns how it is called."""

    def _start(self) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        environment = os.environ | {"LD_LIBRARY_PATH": ":".join(_libraries())}
        argv = self.argv()
        # proftpd goes by the working directory where a path is not absolute.
        return subprocess.Popen(
            argv, stdin=quiet, stdout=self._log, stderr=self._log, env=environment, cwd="/"
        )

    def await_answer(self) -> None:
        """Wait until it introduces itself; what it said is shown where it does not."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._running.poll() is None:
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as client:
                    if client.recv(3) == b"220":
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def close(self) -> None:
        self._running.kill()
        self._running.wait()
        self._log.close()


class Vsftpd(FtpsServer):
    """vsftpd, which has no MLSD and requires that data connections resume the session."""

    user, name = "anonymous", "vsftpd"

    def argv(self) -> tuple[str, ...]:
        nothing = self.folder / "nothing"
        nothing.mkdir(mode=0o755)
        settings = {
            "listen": "YES",
            "listen_address": self.host,
            "listen_port": self.port,
            "background": "NO",
            "anonymous_enable": "YES",
            "local_enable": "NO",
            "ftp_username": _SYSTEM_USER,
            "anon_root": self.root,
            "anon_world_readable_only": "NO",
            "allow_anon_ssl": "YES",
            "ssl_enable": "YES",
            "force_anon_logins_ssl": "YES",
            "force_anon_data_ssl": "YES",
            "require_ssl_reuse": "YES",
            "ssl_ciphers": "HIGH",
            "rsa_cert_file": self.both,
            "rsa_private_key_file": self.both,
            "pasv_address": self.host,
            "port_enable": "NO",
            "seccomp_sandbox": "NO",
            "secure_chroot_dir": nothing,
            "connect_from_port_20": "NO",
            "xferlog_enable": "NO",
        }
        file = self.folder / "vsftpd.conf"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return (str(_place() / "usr/sbin/vsftpd"), str(file))


class Proftpd(FtpsServer):
    """proftpd, which requires that data connections resume the session."""

    name = "proftpd"

    def argv(self) -> tuple[str, ...]:
        users = self.folder / "users"
        users.write_text(
            f"{USER}:{_hashed()}:{_SYSTEM_USER_ID}:{_SYSTEM_GROUP_ID}::{self.root}:/bin/sh\n"
        )
        users.chmod(0o600)
        settings = f"""
            ServerName tests
            ServerType standalone
            DefaultAddress {self.host}
            Port {self.port}
            SocketBindTight on
            UseIPv6 off
            UseReverseDNS off
            PidFile {self.folder}/pid
            ScoreboardFile {self.folder}/scoreboard
            DelayTable none
            MaxInstances 60
            ModulePath {_place()}/usr/lib/proftpd
            LoadModule mod_tls.c
            User {_SYSTEM_USER}
            Group {_SYSTEM_USER}
            AuthUserFile {users}
            AuthOrder mod_auth_file.c
            RequireValidShell off
            DefaultRoot {self.root}
            TLSEngine on
            TLSRequired on
            TLSProtocol TLSv1.2 TLSv1.3
            TLSECCertificateFile {self.certificate.chain}
            TLSECCertificateKeyFile {self.certificate.key}
            SystemLog {self.folder}/system.log
            TLSLog {self.folder}/tls.log
        """
        file = self.folder / "proftpd.conf"
        file.write_text(settings)
        return (str(_place() / "usr/sbin/proftpd"), "-n", "-c", str(file))


class PureFtpd(FtpsServer):
    """pure-ftpd, which does not require it."""

    name = "pure-ftpd"

    def argv(self) -> tuple[str, ...]:
        users, database = self.folder / "users", self.folder / "users.pdb"
        ids = f"{_SYSTEM_USER_ID}:{_SYSTEM_GROUP_ID}"
        users.write_text(f"{USER}:{_hashed()}:{ids}::{self.root}/./::::::::::::\n")
        make = (str(_place() / "usr/bin/pure-pw"), "mkdb", str(database), "-f", str(users))
        subprocess.run(make, check=True, capture_output=True)
        return (
            *(str(_place() / "usr/sbin/pure-ftpd"), "-S", f"{self.host},{self.port}", "-Y", "3"),
            *("-2", str(self.both), "-l", f"puredb:{database}", "-E", "-H", "-c", "60", "-C", "60"),
            *("-u", "1", "-g", str(self.folder / "pid")),
        )


class Pyftpd(FtpsServer):
    """pyftpdlib, which follows links and bears no two commands at once."""

    name = "pyftpdlib"

    def argv(self) -> tuple[str, ...]:
        program = (sys.executable, str(Path(__file__).with_name("pyftpd.py")))
        who = (USER, PASSWORD, str(self.both), str(_SYSTEM_USER_ID))
        return (*program, str(self.port), str(self.root), *who)


SERVERS = (Vsftpd, Proftpd, PureFtpd, Pyftpd)


def _place() -> Path:
    """Return where the servers lie; fetches them the first time."""
    built = subprocess.run((str(_BUILD),), stdout=subprocess.PIPE, text=True, check=True)
    return Path(built.stdout.strip())


def _libraries() -> list[str]:
    machine = f"{os.uname().machine}-linux-gnu"
    return [str(_place() / folder / machine) for folder in ("lib", "usr/lib")]


def _hashed() -> str:
    argv = ("openssl", "passwd", "-6", "-stdin")
    done = subprocess.run(argv, input=PASSWORD, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(params=SERVERS, ids=lambda server: server.name)
def ftps(request: pytest.FixtureRequest) -> Iterator[FtpsServer]:
    """Each server in turn, over an empty folder that its user may read."""
    folder = Path(tempfile.mkdtemp(prefix="unstoppable-ftps-"))
    folder.chmod(0o755)
    server: FtpsServer = request.param(folder)
    try:
        server.await_answer()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder)
