"""A moment after which a connection sends and receives nothing any more."""

import ssl
import time
from collections.abc import Iterable, Iterator

import httpcore2
import httpx2

_LEAST_SECONDS = 0.001
"""A socket takes 0 for something else."""


class Deadline:
    """When a piece of work must be over, all its requests and pauses together."""

    def __init__(self, seconds: float) -> None:
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Allow so many seconds from now on."""
        self.seconds, self._at = seconds, time.monotonic() + seconds

    @property
    def remaining_seconds(self) -> float:
        """How much is left; never less than nothing."""
        return max(0.0, self._at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.remaining_seconds == 0

    def bound(self, timeout: float | None) -> float:
        """Return how long one call of a socket may take."""
        remaining = max(_LEAST_SECONDS, self.remaining_seconds)
        return remaining if timeout is None else min(timeout, remaining)


class BoundNetwork(httpcore2.SyncBackend):
    """The network, as far as a deadline reaches.

    A timeout alone begins anew with each byte: a server that sends one now and then would never
    be given up.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect; looking up a name takes what the system allows, beyond the deadline too."""
        stream = super().connect_tcp(
            host, port, self._deadline.bound(timeout), local_address, socket_options
        )
        return _BoundStream(stream, self._deadline)


class _BoundStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._deadline.is_over:
            raise httpcore2.ReadTimeout
        return self._stream.read(max_bytes, self._deadline.bound(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.bound(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        bound = self._deadline.bound(timeout)
        return _BoundStream(
            self._stream.start_tls(ssl_context, server_hostname, bound), self._deadline
        )

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class BoundTransport(httpx2.BaseTransport):
    """Sends requests until a deadline, straight to the server: no proxy can be given."""

    def __init__(self, trust: ssl.SSLContext, deadline: Deadline) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trust, network_backend=BoundNetwork(deadline)
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, of which the body is still to come; raises what httpcore2 does."""
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        response = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                url,
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx2.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
