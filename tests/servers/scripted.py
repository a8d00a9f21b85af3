"""An FTPS server that says what a story wrote down for it, in a thread of the story's own."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers.s3 import Certificate

Content = Callable[[], Iterator[bytes]]
"""The pieces of a file or a listing."""
_FEATURES = "211-Features\r\n MLST type*;size*;modify*;\r\n EPSV\r\n211 End"
_REPLIES = {
    "USER": "331 who are you",
    "PASS": "230 hello",
    "FEAT": _FEATURES,
    "PBSZ": "200 ok",
    "PROT": "200 ok",
    "TYPE": "200 ok",
}


class Scripted:
    """Lists folders and gives files by their paths; speaks to any number of clients."""

    host, user, password = "127.0.0.1", "acme", "of these tests alone"

    def __init__(self, folder: Path, listings: Mapping[str, Content], files: Mapping[str, Content]):
        self.certificate = Certificate.make(folder)
        self.ca_file = self.certificate.authority
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate.chain, self.certificate.key)
        self._listings, self._files = listings, files
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._speak, args=(client,), daemon=True).start()

    def _speak(self, client: socket.socket) -> None:
        # A client that goes away ends its conversation, and nothing else.
        with contextlib.suppress(OSError), client:
            client.sendall(b"220 hello\r\n")
            assert client.recv(100) == b"AUTH TLS\r\n"
            client.sendall(b"234 ok\r\n")
            with self._tls.wrap_socket(client, server_side=True) as control:
                self._obey(control)

    def _obey(self, control: ssl.SSLSocket) -> None:
        folder = "/"
        listener: socket.socket | None = None

        def say(reply: str) -> None:
            control.sendall(reply.encode() + b"\r\n")

        lines = control.makefile("rb")
        for line in lines:
            command, _, argument = line.decode().rstrip("\r\n").partition(" ")
            if command in _REPLIES:
                say(_REPLIES[command])
            elif command == "CWD":
                folder = argument if argument in self._listings else folder
                say("250 ok" if argument in self._listings else "550 there is none")
            elif command == "EPSV":
                if listener:
                    listener.close()
                listener = socket.create_server((self.host, 0))
                say(f"229 here (|||{listener.getsockname()[1]}|)")
            elif command in {"MLSD", "RETR"} and listener:
                say("150 it comes")
                gives = self._listings[folder] if command == "MLSD" else self._files[argument]
                say(self._give(listener, gives()))
            else:
                say("502 what")

    def _give(self, listener: socket.socket, pieces: Iterator[bytes]) -> str:
        """Send all pieces; returns what is said of it then."""
        try:
            with (
                listener,
                listener.accept()[0] as plain,
                self._tls.wrap_socket(plain, server_side=True) as data,
            ):
                for piece in pieces:
                    data.sendall(piece)
                data.unwrap()
        except OSError:
            return "426 you went away"
        return "226 that was all"


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[..., Scripted]]:
    """Starts servers that end with the story."""
    started: list[Scripted] = []

    def start(listings: Mapping[str, Content], files: Mapping[str, Content]) -> Scripted:
        folder = tmp_path / f"scripted-{len(started)}"
        folder.mkdir()
        started.append(Scripted(folder, listings, files))
        return started[-1]

    yield start
    for server in started:
        server.close()
