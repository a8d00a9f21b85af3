"""A stand-in for an Infisical server: its routes, answers and refusals, and every fault on demand.

The server itself needs Node, PostgreSQL and Redis and is no package. What stands here was read in
its source; the official client, run against it, shows that the shape is right.
"""

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers import infisical_routes as routes
from tests.servers.https import HttpsServer
from tests.servers.infisical_routes import Refused, Stored
from tests.servers.s3 import Certificate

PROJECT, ENVIRONMENT = "2f5c1d0e-7a41-4c59-9a5b-8e7c6d5f4a3b", "prod"
_LONGEST_WAIT_SECONDS = 60


Headers = dict[str, str] | None


@dataclass
class Known:
    """An identity as the server knows it."""

    client_id: str
    secret: str
    projects: set[str]
    wrong_logins: int = 0
    is_locked: bool = False
    is_secret_expired: bool = False
    is_secret_used_up: bool = False
    is_machine_refused: bool = False


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Fault = Callable[["Handler"], bool]
"""Does something with a request; returns whether that was all, so that no answer is to come."""


class InfisicalServer(HttpsServer):
    """Listens on loopback, with TLS; what it was asked stands in `seen`."""

    def __init__(self, certificate: Certificate | None, *, has_v4: bool = True) -> None:
        super().__init__(Handler, certificate)
        self.has_v4 = has_v4
        self.identities: dict[str, Known] = {}
        self.stored: dict[tuple[str, str, str], dict[str, Stored]] = {}
        self.tokens: dict[str, Known] = {}
        self.given: list[str] = []
        """Every token that was ever given."""
        self.denied: set[str] = set()
        """Paths that nobody may list."""
        self.gone = "401"
        """How a token that is none any more is refused: `401`, or `TokenError`, which is a 403."""
        self.seen: list[Seen] = []
        self.faults: dict[str, deque[Fault]] = {}

    # --- what it knows --------------------------------------------------------------------------

    def identity(self, client_id: str, secret: str, project: str = PROJECT) -> Known:
        """Make an identity that may read a project."""
        known = self.identities[client_id] = Known(client_id, secret, {project})
        self.folder("/", project)
        return known

    def folder(self, path: str, project: str = PROJECT) -> dict[str, Stored]:
        """Return what lies in a folder, which is made."""
        return self.stored.setdefault((project, ENVIRONMENT, path), {})

    def put(self, path: str, project: str = PROJECT, **values: str) -> None:
        """Store secrets in a folder."""
        for name, value in values.items():
            kept = self.folder(path, project).get(name)
            self.folder(path, project)[name] = Stored(value, kept.version + 1 if kept else 1)

    def end_tokens(self) -> None:
        """Let every token that was given expire now."""
        self.tokens.clear()

    # --- what it does wrong ---------------------------------------------------------------------

    def fail(self, route: str, fault: Fault, times: int = 1) -> None:
        """Do something else with the next requests of a route: login, list or revoke."""
        self.faults.setdefault(route, deque()).extend([fault] * times)

    def asked(self) -> list[str]:
        """Return what was asked, in order."""
        return [str(seen) for seen in self.seen]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: InfisicalServer

    def do_GET(self) -> None:
        self._meet()

    def do_POST(self) -> None:
        self._meet()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on stderr."""

    def _meet(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        query = {
            name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()
        }
        try:
            is_json = self.headers.get("Content-Type") == "application/json"
            body = json.loads(content) if content and is_json else {}
        except ValueError:
            return self.refuse(Refused(400, "Bad Request", "Body is not valid JSON"))
        self.server.seen.append(
            Seen(self.command, url.path, query, dict(self.headers.items()), body)
        )
        waiting = self.server.faults.get(routes.name(url.path))
        if waiting and waiting.popleft()(self):
            return None
        try:
            self.give(200, routes.answer(self.server, self.server.seen[-1]))
        except Refused as refused:
            self.refuse(refused)

    def give(self, status: int, content: object, headers: Headers = None) -> None:
        """Send JSON."""
        self.send(status, json.dumps(content).encode(), headers)

    def refuse(self, refused: Refused, headers: Headers = None) -> None:
        """Send an error as the server does."""
        request_id = f"req-{secrets.token_hex(6)}"
        told = {
            "reqId": request_id,
            "statusCode": refused.status,
            "message": refused.message,
            "error": refused.error,
        }
        self.give(refused.status, told, headers)

    def send(
        self, status: int, content: bytes, headers: Headers = None, length: int | None = None
    ) -> None:
        """Send bytes, or fewer than are announced."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


# --- faults ---------------------------------------------------------------------------------------


def refusal(status: int, error: str, message: object, headers: Headers = None) -> Fault:
    """Refuse the request."""

    def fault(handler: Handler) -> bool:
        handler.refuse(Refused(status, error, message), headers)
        return True

    return fault


def too_many(seconds: int, *, in_header: bool = False, is_told: bool = True) -> Fault:
    """Ask to be left alone, in words as the server does, or in the header as others do."""
    words = f"Rate limit exceeded. Please try again in {seconds} seconds"
    if in_header:
        headers = {"Retry-After": str(seconds)}
        return refusal(429, "RateLimitError", "Rate limit exceeded", headers)
    unsaid = "Failed to acquire lock: rate limit exceeded"
    return refusal(429, "RateLimitError", words if is_told else unsaid)


def broken(status: int = 500) -> Fault:
    """Have a fault."""
    return refusal(status, "InternalServerError", "Something went wrong")


def hang(handler: Handler) -> bool:
    """Answer nothing, and keep the connection."""
    handler.server.over.wait(_LONGEST_WAIT_SECONDS)
    handler.close_connection = True
    return True


def hang_up(handler: Handler) -> bool:
    """Close the connection instead of answering."""
    handler.close_connection = True
    return True


def drip(content: bytes, pause_seconds: float = 0.1) -> Fault:
    """Send these bytes one by one, from the status line on, never to the end."""

    def fault(handler: Handler) -> bool:
        handler.close_connection = True
        until = time.monotonic() + _LONGEST_WAIT_SECONDS
        for byte in content:
            handler.wfile.write(bytes([byte]))
            if handler.server.over.wait(pause_seconds) or time.monotonic() > until:
                break
        return True

    return fault


DRIPPED_HEAD = drip(b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 10_000)
DRIPPED_BODY = drip(
    b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b" " * 9_000, pause_seconds=0.05
)
DRIPPED_FAST = drip(
    b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + b" " * 3_000_000, pause_seconds=0
)
"""No pause is long enough for a timeout."""


def sent(
    content: bytes, *, length: int | None = None, status: int = 200, headers: Headers = None
) -> Fault:
    """Answer these bytes, after which the connection ends."""

    def fault(handler: Handler) -> bool:
        handler.send(status, content, headers, length)
        handler.close_connection = True
        return True

    return fault


def redirected(to: str) -> Fault:
    """Send to another address."""
    return sent(b"", status=307, headers={"Location": to})


def then(act: Callable[[], object]) -> Fault:
    """Do something in the server before the request is answered as ever."""

    def fault(_handler: Handler) -> bool:
        act()
        return False

    return fault


# --- for tests ------------------------------------------------------------------------------------


@pytest.fixture
def start_infisical() -> Iterator[Callable[..., InfisicalServer]]:
    """Start servers, which end with the test."""
    running: list[tuple[InfisicalServer, threading.Thread]] = []

    def start(certificate: Certificate | None, **options: bool) -> InfisicalServer:
        server = InfisicalServer(certificate, **options)
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


@pytest.fixture(scope="session")
def infisical_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """What the servers of these tests show."""
    return Certificate.make(tmp_path_factory.mktemp("infisical"))


@pytest.fixture
def infisical(
    start_infisical: Callable[..., InfisicalServer], infisical_certificate: Certificate
) -> InfisicalServer:
    """A server without secrets that shows a certificate of an authority of its own."""
    return start_infisical(infisical_certificate)
