"""An FTPS server that says what a story wrote down for it, in threads of the story's own."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

import pytest

from tests.servers.s3 import Certificate

Content = Callable[[], Iterator[bytes]]
"""The pieces of a file or a listing."""
Twist = Callable[["Talk", str, str], object]
"""Takes a command and what follows it, `GREETING` first of all; whether it answered it."""
Ending = Literal["clean", "cut", "reset", "stall"]
"""How data ends: as TLS does, without its end, with a reset, or not at all."""

_FEATURES = "211-Features\r\n MLST type*;size*;modify*;\r\n EPSV\r\n211 End"
_REPLIES = {
    "USER": "331 who are you",
    "PASS": "230 hello",
    "FEAT": _FEATURES,
    "PBSZ": "200 ok",
    "PROT": "200 ok",
    "TYPE": "200 ok",
}
_LEAVING_SECONDS = 3
"""A client that goes has gone by then."""


def as_usual(_talk: "Talk", _command: str, _argument: str) -> bool:
    """Let the server do what servers do."""
    return False


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


class Scripted:
    """Lists folders and gives files by their paths; speaks to any number of clients.

    `twist` is asked of each command first, on the thread of the conversation.
    """

    host, user, password = "127.0.0.1", "acme", "of these tests alone"

    def __init__(
        self,
        certificate: Certificate,
        listings: Mapping[str, Content],
        files: Mapping[str, Content],
        twist: Twist = as_usual,
    ):
        self.certificate = certificate
        self.ca_file = certificate.authority
        self.tls = _context(certificate)
        self.listings, self.files, self.twist = listings, files, twist
        self.talks: list[Talk] = []
        self.port = 0
        self.is_taken = threading.Event()
        """Set by a story once what the server gave was taken."""
        self.come()

    def come(self) -> None:
        """Take clients, where they were taken before."""
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Take no more clients."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def leave(self) -> None:
        """Take no more clients, and break off with those that are there."""
        self.close()
        for talk in self.talks:
            talk.hang_up()
            talk.deafen()

    def is_left_alone(self) -> bool:
        """Return whether all clients hung up, within the time that that takes."""
        until = time.monotonic() + _LEAVING_SECONDS
        while any(talk.thread.is_alive() for talk in self.talks):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                talk = Talk(self, client, len(self.talks) + 1)
                self.talks.append(talk)
                talk.thread.start()


class Talk:
    """A conversation with one client; `number` counts them from 1."""

    def __init__(self, server: Scripted, client: socket.socket, number: int):
        self.server, self.number = server, number
        self.channel: socket.socket = client
        self.folder = "/"
        self.heard: list[str] = []
        """Every command so far."""
        self._is_over = False
        self._listener: socket.socket | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def say(self, reply: str) -> Self:
        """Say one reply."""
        self.channel.sendall(reply.encode() + b"\r\n")
        return self

    def say_plain(self, reply: str) -> Self:
        """Say one reply without the encryption that there is."""
        socket.socket.sendall(self.channel, reply.encode() + b"\r\n")
        return self

    def hang_up(self) -> Self:
        """End the conversation."""
        self._is_over = True
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        return self

    def deafen(self) -> None:
        """Take no data connection."""
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)

    def stall(self) -> Self:
        """Say nothing more until the client goes."""
        _await_end(self.channel)
        return self.hang_up()

    def _run(self) -> None:
        # A client that goes away ends its conversation, and nothing else.
        with contextlib.suppress(OSError):
            self._answer("GREETING", "")
            while not self._is_over and (line := self._line()):
                command, _, argument = line.decode().rstrip("\r\n").partition(" ")
                self.heard.append(command)
                self._answer(command, argument)
        self.channel.close()
        if self._listener:
            self._listener.close()

    def _line(self) -> bytes:
        line = b""
        # Byte by byte: what follows may be the beginning of TLS.
        while not line.endswith(b"\n") and (byte := self.channel.recv(1)):
            line += byte
        return line

    def _answer(self, command: str, argument: str) -> None:
        if not self.server.twist(self, command, argument):
            self.answer_as_usual(command, argument)

    def answer_as_usual(self, command: str, argument: str) -> None:
        """Do what servers do."""
        if command in _REPLIES:
            self.say(_REPLIES[command])
        elif command == "GREETING":
            self.say("220 hello")
        elif command == "AUTH":
            self.say("234 ok")
            self.channel = self.server.tls.wrap_socket(self.channel, server_side=True)
        elif command == "CWD":
            is_there = argument in self.server.listings
            self.folder = argument if is_there else self.folder
            self.say("250 ok" if is_there else "550 there is none")
        elif command == "SIZE" and argument in self.server.files:
            self.say(f"213 {len(b''.join(self.server.files[argument]()))}")
        elif command == "EPSV":
            self.say(f"229 here (|||{self.listen()}|)")
        elif command in {"MLSD", "RETR"} and not self._listener:
            self.say("425 nobody came")
        elif command in {"MLSD", "RETR"}:
            content = self.content(command, argument)
            if content is None:
                self.say("550 there is none")
            else:
                self.say("150 it comes")
                self.say(self.give(content()))
        else:
            self.say("550 what")

    def content(self, command: str, argument: str) -> Content | None:
        """Return what a command asks for."""
        with contextlib.suppress(KeyError):
            if command == "MLSD":
                return self.server.listings[self.folder]
            return self.server.files[argument]
        return None

    def listen(self) -> int:
        """Wait for a data connection at a port, which is returned."""
        if self._listener:
            self._listener.close()
        self._listener = socket.create_server((self.server.host, 0))
        port: int = self._listener.getsockname()[1]
        return port

    def give(
        self, pieces: Iterator[bytes], ending: Ending = "clean", tls: ssl.SSLContext | None = None
    ) -> str:
        """Send all pieces over a data connection; returns what is said of it then."""
        try:
            with (
                self.take_data_connection() as plain,
                (tls or self.server.tls).wrap_socket(plain, server_side=True) as data,
            ):
                for piece in pieces:
                    data.sendall(piece)
                _end(data, ending)
        except OSError:
            return "426 you went away"
        return "226 that was all"

    def take_data_connection(self) -> socket.socket:
        """Return it as it comes, without encryption."""
        assert self._listener
        with self._listener:
            return self._listener.accept()[0]


def _end(data: ssl.SSLSocket, ending: Ending) -> None:
    if ending == "clean":
        data.unwrap()
    elif ending == "reset":
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif ending == "stall":
        _await_end(data)


def _await_end(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while channel.recv(4096):
            pass


class Script:
    """Starts servers that end with the story."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._started: list[Scripted] = []

    def __call__(
        self,
        listings: Mapping[str, Content],
        files: Mapping[str, Content],
        twist: Twist = as_usual,
        certificate: Certificate | None = None,
    ) -> Scripted:
        """Return a server, which is there already."""
        shown = certificate or self.certificate()
        self._started.append(Scripted(shown, listings, files, twist))
        return self._started[-1]

    def certificate(self, *args: str, **changed: bool | str) -> Certificate:
        """Make a certificate; the arguments are those of `Certificate.make`."""
        folder = self._folder / f"certificate-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        return Certificate.make(folder, *args, **changed)  # type: ignore[arg-type]

    def close(self) -> None:
        """End all."""
        for server in self._started:
            server.leave()
            assert server.is_left_alone()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Script]:
    """Starts servers that end with the story."""
    folder = tmp_path / "scripted"
    folder.mkdir()
    script = Script(folder)
    yield script
    script.close()
