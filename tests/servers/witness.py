"""A server that takes what others tell of runs, records and pings alike, with switches for faults.

The faults themselves are those of tests/servers/infisical.py.
"""

import json
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers.https import HttpsServer
from tests.servers.s3 import Certificate

Fault = Callable[[Any], bool]
Headers = dict[str, str] | None


@dataclass(frozen=True)
class Told:
    """What somebody was told."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def record(self) -> dict[str, Any]:
        """The record in an envelope."""
        found: dict[str, Any] = json.loads(b64decode(json.loads(self.body)["payload"]))
        return found


class Witness(HttpsServer):
    """Listens on loopback; what it took stands in `told`, what it was asked in `asked`."""

    def __init__(self, certificate: Certificate | None) -> None:
        super().__init__(Handler, certificate)
        self.asked: list[Told] = []
        self.faults: deque[Fault] = deque()
        self.status: Callable[[str, bytes], int] = lambda _path, _body: 202
        """What it answers to a path and a body."""
        self.records = f"{self.address}/v1/records"

    @property
    def told(self) -> list[Told]:
        """What was accepted, in order."""
        return [one for one in self.asked if 200 <= one.status < 300]

    def paths(self) -> list[str]:
        """Return where it was told something, in order."""
        return [one.path for one in self.told]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Witness

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        fault = self.server.faults.popleft() if self.server.faults else None
        status = 0 if fault else self.server.status(url.path, body)
        self.server.asked.append(
            Told(url.path, parse_qs(url.query), dict(self.headers.items()), body, status)
        )
        if fault is None or not fault(self):
            self.send(status or 202, b"ok")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on stderr."""

    def send(
        self, status: int, content: bytes, headers: Headers = None, length: int | None = None
    ) -> None:
        """Send bytes, or fewer than are announced."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def start_witness() -> Iterator[Callable[..., Witness]]:
    """Start servers, which end with the test."""
    running: list[tuple[Witness, threading.Thread]] = []

    def start(certificate: Certificate | None) -> Witness:
        server = Witness(certificate)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def witness(start_witness: Callable[..., Witness], infisical_certificate: Certificate) -> Witness:
    """A server that shows a certificate of an authority of its own."""
    return start_witness(infisical_certificate)
