"""Real FTPS servers of the story's own, on loopback: what all of them have."""

import base64
import hashlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from tests.servers.s3 import Certificate, free_port

USER_ID = 47021
"""Whom the servers read files as: nobody else of the machine."""
_START_SECONDS = 20
_ASKING_ADDRESS = "127.0.0.9"
"""Who asks whether a server answers, so that a limit per address does not count it."""

Tls = Literal["1.2", "1.3"]
Shown = Literal["good", "expired", "for another name", "self-signed"]


@dataclass(frozen=True)
class Options:
    """How a server differs from the one that a customer's administrator would be praised for."""

    tls: tuple[Tls, ...] = ("1.2", "1.3")
    shown: Shown = "good"
    """The certificate."""
    connections_per_address: int = 0
    """0 for as many as come."""
    idle_seconds: int = 300
    """When it closes a connection on which nothing is said; pure-ftpd counts whole minutes."""
    local_zone: str = ""
    """The zone of the times it tells, such as `CEST-2`; empty for UTC. vsftpd alone has it."""
    most_listed: int = 1_000_000
    """How many names it lists of a folder. pure-ftpd alone has it, and 10,000 where nobody says."""
    is_reuse_required: bool = True
    """Whether data comes only over a resumed TLS session; vsftpd and proftpd alone can ask it."""


class FtpsServer(ABC):
    """An FTPS server over a folder, which answers when it is made.

    `folder` is for what is its own, `root` is what it serves: the user reads it as USER_ID, so
    everybody may enter the folders above it. TLS is required on both channels.
    """

    name: ClassVar[str]
    requires_reuse: ClassVar[bool] = False
    host = "127.0.0.1"
    user = "acme"
    password = "of these tests alone"

    def __init__(self, folder: Path, root: Path, options: Options | None = None) -> None:
        self.folder, self.root, self.options = folder, root, options or Options()
        assert self.name == "vsftpd" or not self.options.local_zone
        self.certificate = _certificate(folder, self.options.shown)
        self.ca_file = self.certificate.authority
        self.log = folder / "log"
        self._start_somewhere()

    def _start_somewhere(self, tries: int = 3) -> None:
        """Start it on a port that is free, unless somebody else takes it meanwhile."""
        self.port = free_port()
        self._configure()
        try:
            self._start()
        except AssertionError:
            if tries == 1:
                raise
            self._start_somewhere(tries - 1)

    @abstractmethod
    def _configure(self) -> None:
        """Write what the server reads when it starts."""

    @abstractmethod
    def _argv(self) -> tuple[str, ...]:
        """Return what starts it in the foreground."""

    def _environment(self) -> dict[str, str]:
        """Return what its environment has besides ours."""
        return {}

    @property
    def url(self) -> str:
        """What the program is told to read: everything."""
        return f"ftps://{self.user}@{self.host}:{self.port}/"

    @property
    def pin(self) -> str:
        """The public key of its certificate, as a pin names it."""
        read = ("openssl", "x509", "-in", str(self.certificate.chain), "-noout", "-pubkey")
        shortened = ("openssl", "pkey", "-pubin", "-outform", "der")
        pem = subprocess.run(read, check=True, capture_output=True).stdout
        key = subprocess.run(shortened, input=pem, check=True, capture_output=True).stdout
        return "sha256/" + base64.b64encode(hashlib.sha256(key).digest()).decode()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._argv(),
                env={**os.environ, **self._environment()},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._await_answer()

    def _await_answer(self) -> None:
        """Wait until it greets; what it said is shown where it does not."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._running.poll() is None:
            if self._greets():
                return
            time.sleep(0.02)
        self.stop()
        raise AssertionError((self.name, "does not answer", self.log.read_text()[-4000:]))

    def _greets(self) -> bool:
        try:
            with socket.create_connection(
                (self.host, self.port), timeout=5, source_address=(_ASKING_ADDRESS, 0)
            ) as asking:
                return asking.recv(3) == b"220"
        except OSError:
            return False

    def stop(self) -> None:
        """End it and whoever it serves just now."""
        if self._running.poll() is None:
            os.kill(self._process(), signal.SIGKILL)
        self._running.wait()

    def _process(self) -> int:
        """Return whom to kill."""
        return self._running.pid

    def start_again(self) -> None:
        """Start it where it was."""
        self._start()


def _certificate(folder: Path, shown: Shown) -> Certificate:
    names = "IP:127.0.0.1,DNS:localhost"
    if shown == "for another name":
        return Certificate.make(folder, "DNS:ftp.bob.example")
    if shown == "expired":
        return Certificate.make(folder, names, made="10 days ago")
    return Certificate.make(folder, names, is_signed=shown != "self-signed")
