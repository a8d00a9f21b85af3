"""Requests that tell others of runs: each within a deadline, straight there, nothing followed."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpcore2
import httpx2

from unstoppable.domain.delivery import Meaning, meaning, seconds_asked
from unstoppable.domain.delivery_errors import NotifyCaUnreadable
from unstoppable.domain.errors import UnstoppableError
from unstoppable.secrets import trust as trusting
from unstoppable.secrets.deadline import BoundTransport, Deadline

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "unstoppable"}
_NETWORK_ERRORS = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)
_KIND = "Content-Type"
_ANSWER_BYTES = 65_536
"""What is read of an answer, so that its connection can be used again; nobody looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long is waited for a server."""

    connect_seconds: float = 5
    read_seconds: float = 10
    total_seconds: float = 15
    """One request, whatever it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    meaning: Meaning
    cause: str
    seconds_asked: float | None = None


class Post:
    """Sends; the connections are closed with its context."""

    def __init__(self, ca_file: Path | None, limits: Limits | None = None) -> None:
        self._ca_file, self._limits = ca_file, limits or Limits()
        self._deadline = Deadline(self._limits.total_seconds)
        self._client: httpx2.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        if self._client is not None:
            self._client.close()

    def send(
        self, address: str, content: bytes, kind: str, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Return what the server answers; one that cannot be asked has a fault. Raises nothing."""
        return self._ask("POST", address, content=content, params=query, headers={_KIND: kind})

    def look(self, address: str) -> Answer:
        """Return what the server answers to who sends nothing. Raises nothing."""
        return self._ask("HEAD", address)

    def _ask(self, method: str, address: str, **sent: Any) -> Answer:  # noqa: ANN401 - the client's
        self._deadline.restart(self._limits.total_seconds)
        try:
            with self._opened().stream(method, address, **sent) as response:
                answer = _answer(response)
                _read_over(response)
        except _NETWORK_ERRORS as error:
            return Answer(meaning=Meaning.BROKEN, cause=self._cause(error))
        except UnstoppableError as error:
            return Answer(meaning=Meaning.BROKEN, cause=str(error))
        except UnicodeError:
            return Answer(meaning=Meaning.BROKEN, cause="no server can have that name")
        return answer

    def _opened(self) -> httpx2.Client:
        if self._client is None:
            limits = self._limits
            self._client = httpx2.Client(
                transport=BoundTransport(trust(self._ca_file), self._deadline),
                headers=_HEADERS,
                timeout=httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    def _cause(self, error: Exception) -> str:
        """Return what a failure of the network is called; no address stands in it."""
        why = error.args[0] if error.args else None
        if isinstance(why, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {why.verify_message}"
        if self._deadline.is_over:
            return f"it took longer than {self._limits.total_seconds:g} s"
        if isinstance(error, httpcore2.ConnectTimeout):
            return f"no connection within {self._limits.connect_seconds:g} s"
        if isinstance(error, httpcore2.TimeoutException):
            return f"no answer within {self._limits.read_seconds:g} s"
        if isinstance(error, httpcore2.ProtocolError):
            return "what it answers is no HTTP, or ends too early"
        return str(getattr(why, "strerror", None) or why or "the connection was lost")


def _answer(response: httpx2.Response) -> Answer:
    status = response.status_code
    said = f"it answers {status}"
    if response.is_redirect:
        said += ", which leads elsewhere and is not followed"
    asked = seconds_asked(response.headers.get("Retry-After"), datetime.now(UTC))
    return Answer(meaning=meaning(status), cause=said, seconds_asked=asked)


def _read_over(response: httpx2.Response) -> None:
    """Read a short answer to its end: what was accepted stays so, however it ends."""
    taken = 0
    try:
        for piece in response.iter_raw():
            taken += len(piece)
            if taken > _ANSWER_BYTES:
                return
    except _NETWORK_ERRORS:
        return


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return whom to believe: the system's authorities, and those of the file.

    Raises NotifyCaUnreadable or FileUnsafe.
    """
    return trusting.trust(
        ca_file,
        has_system=True,
        unreadable=lambda cause: NotifyCaUnreadable(path=ca_file, cause=cause),
    )
