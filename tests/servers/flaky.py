"""A proxy before a server that does half of what it is asked."""

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEED = 6
_ANSWERED_SECONDS = 30


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on, or does not, or does not tell of it."""

    protocol_version = "HTTP/1.1"
    server: "Flaky"

    def do_GET(self) -> None:
        self._meet()

    def do_PUT(self) -> None:
        self._meet()

    def _meet(self) -> None:
        """Do what chance says with this request, half of the time what was asked."""
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chance = self.server.draw()
        if chance < 1 / 6:
            self._refuse()
        elif chance < 1 / 3:
            self.close_connection = True
        else:
            answer, body = self._passed_on(content)
            if chance < 1 / 2:
                self.close_connection = True
            else:
                self._give(answer, body)

    def _refuse(self) -> None:
        body = b"<Error><Code>SlowDown</Code><Message>not so fast</Message></Error>"
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _passed_on(self, content: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        there = http.client.HTTPConnection(
            "127.0.0.1", self.server.there, timeout=_ANSWERED_SECONDS
        )
        try:
            there.request(self.command, self.path, content, dict(self.headers.items()))
            answer = there.getresponse()
            return answer, answer.read()
        finally:
            there.close()

    def _give(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "date", "server", "transfer-encoding"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing on stderr."""


class Flaky(ThreadingHTTPServer):
    """Listens for the server at port `there`; counts what it was asked."""

    daemon_threads = True

    def __init__(self, there: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.there, self.asked = there, 0
        self._chance, self._lock = random.Random(SEED), threading.Lock()  # noqa: S311

    def draw(self) -> float:
        """Return what happens to the next request, from 0 to 1."""
        with self._lock:
            self.asked += 1
            return self._chance.random()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that ended."""

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def half_of(there: int) -> Iterator[Flaky]:
    """Yield a proxy for the server at a port."""
    with Flaky(there) as flaky:
        thread = threading.Thread(target=flaky.serve_forever)
        thread.start()
        try:
            yield flaky
        finally:
            flaky.shutdown()
            thread.join()
