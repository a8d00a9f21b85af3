"""Acme's secrets in the keeping of an Infisical server, and what the program knows of it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.infisical import ENVIRONMENT, PROJECT, InfisicalServer
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.infisical import ClientSecret, Identity, InfisicalReference
from unstoppable.secrets.infisical import resolve
from unstoppable.secrets.infisical_server import Limits
from unstoppable.secrets.reference import Literal

LOGIN, REVOKE = "POST /api/v1/auth/universal-auth/login", "POST /api/v1/auth/token/revoke"
LIST, OLD_LIST = "GET /api/v4/secrets", "GET /api/v3/secrets/raw"
KEY_ID = InfisicalReference("/acme", "S3_KEY_ID")
SECRET = InfisicalReference("/acme", "S3_SECRET")
CLIENT_SECRET = "client-5ecret-of-acme"
VALUE = "5ecret-value-of-acme"
QUICK = Limits(connect_seconds=1, read_seconds=1, total_seconds=2, revoke_seconds=0.5)
"""Long enough for a machine that has other work, short enough to be waited for."""
MARGIN_SECONDS = 1.5


def identity_at(keeper: InfisicalServer, **differently: object) -> Identity:
    """Return how acme is known at a server."""
    shown = keeper.certificate
    usual = {
        "customer": "acme",
        "server": keeper.address,
        "project_id": PROJECT,
        "environment": ENVIRONMENT,
        "client_id": "client-of-acme",
        "client_secret": ClientSecret(name="UNSTOPPABLE_X", secret=Literal(CLIENT_SECRET)),
        "ca_file": str(shown.authority) if shown else None,
    }
    return Identity(**{**usual, **differently})  # type: ignore[arg-type]


def furnish(keeper: InfisicalServer) -> InfisicalServer:
    """Give a server acme's identity and secrets, and a neighbour's."""
    keeper.identity("client-of-acme", CLIENT_SECRET)
    keeper.put("/acme", S3_KEY_ID="acme-key-id", S3_SECRET=VALUE)
    keeper.put("/bob", S3_KEY_ID="bob's", S3_SECRET="bob's")
    return keeper


@pytest.fixture
def keeper(infisical: InfisicalServer) -> InfisicalServer:
    return furnish(infisical)


@pytest.fixture
def known(keeper: InfisicalServer) -> Identity:
    return identity_at(keeper)


@contextmanager
def within(seconds: float, *, at_least: float = 0) -> Iterator[None]:
    """Fail unless what is done takes its time and no longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert at_least <= took <= seconds, took


def refused(identity: Identity, limits: Limits = QUICK) -> UnstoppableError:
    """Return why the secrets cannot be had, in words that tell none of them."""
    with pytest.raises(UnstoppableError) as raised:
        resolve(identity, {KEY_ID, SECRET}, limits)
    told = str(raised.value) + raised.value.hint
    assert not {CLIENT_SECRET, VALUE} & set(told.split())
    return raised.value


class Listening:
    """A port of loopback where nobody answers; counts who comes."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.connections: list[socket.socket] = []


@contextmanager
def listening() -> Iterator[Listening]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Listening(listener)

        def accept() -> None:
            try:
                while True:
                    found.connections.append(listener.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in found.connections:
                connection.close()
