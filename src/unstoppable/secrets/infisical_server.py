"""Requests to an Infisical server: how often, for how long, and how much of an answer is taken."""

import contextlib
import json
import random
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpcore2
import httpx2

from unstoppable.domain.infisical import Identity
from unstoppable.domain.infisical_answers import Answer
from unstoppable.domain.secret_errors import (
    InfisicalAway,
    InfisicalBroken,
    InfisicalBusy,
    InfisicalCaUnreadable,
    InfisicalElsewhere,
    InfisicalMisunderstood,
    InfisicalSlow,
    InfisicalUnreachable,
    InfisicalUntrusted,
)
from unstoppable.domain.text import size
from unstoppable.secrets.deadline import BoundTransport, Deadline
from unstoppable.secrets.trust import trust

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "unstoppable",
}
_FIRST_PAUSE_SECONDS = 0.5
_UNASKED_SECONDS = 2
"""For how long a server is left alone that asks for it and does not say how long."""
_LAST_ATTEMPTS = 2
"""The connection may have been closed, which shows when it is used again."""
_NETWORK_ERRORS = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long is waited for a server, how often it is asked, and how much is taken from it."""

    connect_seconds: float = 5
    read_seconds: float = 15
    total_seconds: float = 120
    """All requests and pauses together; it asks for up to a minute where its limit is reached."""
    revoke_seconds: float = 5
    """Afterwards, to take back the token."""
    attempts: int = 4
    answer_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request."""

    method: str
    path: str
    query: dict[str, str] | None = None
    body: dict[str, str] | None = None
    token: str | None = None


class Server:
    """A server, asked for one customer; its connections are closed with its context."""

    def __init__(self, identity: Identity, limits: Limits) -> None:
        self._server, self._customer = identity.server, identity.customer
        self._limits = limits
        self._deadline = Deadline(limits.total_seconds)
        self._client = httpx2.Client(
            transport=BoundTransport(_trust(identity), self._deadline),
            base_url=identity.server,
            headers=_HEADERS,
            timeout=httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._client.close()

    def ask(self, asked: Ask) -> Answer:
        """Return the answer, of a status below 500 and not 429; raises InfisicalAway."""
        failures = 0
        while True:
            try:
                answer = self._once(asked)
                if answer.status == httpx2.codes.TOO_MANY_REQUESTS:
                    self._leave_alone(answer)
                    continue
                if answer.status < httpx2.codes.INTERNAL_SERVER_ERROR:
                    return answer
                failed = self._broken(answer)
            except _NETWORK_ERRORS as error:
                failed = self._unreachable(error)
                failed.__cause__ = error
            failures += 1
            pause = _FIRST_PAUSE_SECONDS * 2 ** (failures - 1) * _jitter(0.5, 1.5)
            if not self._may_ask_again(failed, failures, pause):
                raise failed
            time.sleep(pause)

    def ask_at_last(self, asked: Ask) -> None:
        """Send a request in a little time of its own, whatever comes of it."""
        self._deadline.restart(self._limits.revoke_seconds)
        for _ in range(_LAST_ATTEMPTS):
            try:
                self._once(asked)
            except _NETWORK_ERRORS:
                continue
            except InfisicalAway:
                return
            return

    def misunderstood(self, reason: object) -> InfisicalMisunderstood:
        """Return the error for an answer that makes no sense."""
        return InfisicalMisunderstood(server=self._server, customer=self._customer, reason=reason)

    def _may_ask_again(self, failed: InfisicalAway, failures: int, pause: float) -> bool:
        if isinstance(failed, InfisicalUntrusted) or failures >= self._limits.attempts:
            return False
        return pause < self._deadline.remaining_seconds

    def _once(self, asked: Ask) -> Answer:
        """Return what one request is answered; raises InfisicalAway, or what httpcore2 does."""
        headers = {"Authorization": f"Bearer {asked.token}"} if asked.token else None
        with self._client.stream(
            asked.method, asked.path, params=asked.query, json=asked.body, headers=headers
        ) as response:
            if response.is_redirect:
                raise InfisicalElsewhere(server=self._server, customer=self._customer)
            content = self._content(response)
        return Answer(
            status=response.status_code,
            content=self._json(response.status_code, content),
            retry_after=response.headers.get("Retry-After"),
        )

    def _content(self, response: httpx2.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self.misunderstood("it compresses an answer, which nobody asked for")
        content = bytearray()
        for piece in response.iter_raw():
            content += piece
            if len(content) > self._limits.answer_bytes:
                reason = f"its answer is longer than {size(self._limits.answer_bytes)}"
                raise self.misunderstood(reason)
        return bytes(content)

    def _json(self, status: int, content: bytes) -> object:
        """Return the JSON of an answer; a refusal needs none."""
        # Outside of it an error would keep these exceptions, and they keep all that was read.
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(content.decode())
        if status == httpx2.codes.OK:
            raise self.misunderstood("its answer is no JSON")
        return None

    def _leave_alone(self, answer: Answer) -> None:
        """Wait for as long as the server asks, and a little more; raises InfisicalBusy."""
        asked = answer.seconds_asked
        seconds = _UNASKED_SECONDS if asked is None else asked
        # Whoever was sent away at the same moment must not come back at the same moment.
        pause = seconds + _jitter(0.1, max(1.0, seconds / 4))
        if pause >= self._deadline.remaining_seconds:
            asked_for = f"{seconds} s"
            raise InfisicalBusy(server=self._server, customer=self._customer, asked=asked_for)
        time.sleep(pause)

    def _broken(self, answer: Answer) -> InfisicalAway:
        return InfisicalBroken(server=self._server, customer=self._customer, status=answer.status)

    def _unreachable(self, error: Exception) -> InfisicalAway:
        """Return what a failure of the network means to the customer."""
        server, customer = self._server, self._customer
        # What the system said is given as the argument; as the cause the library drops it.
        why = error.args[0] if error.args else None
        if isinstance(why, ssl.SSLCertVerificationError):
            cause = why.verify_message
            return InfisicalUntrusted(server=server, customer=customer, cause=cause)
        if self._deadline.is_over:
            within = f"{self._deadline.seconds:g} s"
            return InfisicalSlow(server=server, customer=customer, within=within)
        if isinstance(error, httpcore2.ConnectTimeout):
            cause = f"no connection within {self._limits.connect_seconds:g} s"
            return InfisicalUnreachable(server=server, customer=customer, cause=cause)
        if isinstance(error, httpcore2.TimeoutException):
            within = f"{self._limits.read_seconds:g} s"
            return InfisicalSlow(server=server, customer=customer, within=within)
        cause = getattr(why, "strerror", None) or str(error) or "the connection was lost"
        return InfisicalUnreachable(server=server, customer=customer, cause=cause)


def _trust(identity: Identity) -> ssl.SSLContext:
    """Return whom to believe; raises InfisicalCaUnreadable or FileUnsafe."""
    path = None if identity.ca_file is None else Path(identity.ca_file)
    return trust(
        path,
        has_system=path is None,
        unreadable=lambda cause: InfisicalCaUnreadable(
            path=path, customer=identity.customer, cause=cause
        ),
    )


def _jitter(least: float, most: float) -> float:
    return random.uniform(least, most)  # noqa: S311 - nobody gains by guessing it
