"""A real mail server on loopback, aiosmtpd, with switches for faults."""

import socket
import ssl
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.servers.s3 import Certificate

USER, PASSWORD = "backup@acme.example", "5ecret-of-the-postbox"


class _Controller(Controller):
    """Listens on a port that the system chooses."""

    def __init__(self, handler: Any, **options: Any) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        super().__init__(handler, port=self._listening.getsockname()[1], **options)

    def _create_server(self) -> Any:
        return self.loop.create_server(
            self._factory_invoker, sock=self._listening, ssl=self.ssl_context
        )


class Postbox:
    """What it took stands in `mails`; `refusal` answers instead of taking."""

    def __init__(
        self, certificate: Certificate | None, *, is_tls: bool, has_starttls: bool
    ) -> None:
        self.mails: list[tuple[str, list[str], EmailMessage]] = []
        self.refusal = ""
        self.refused: set[str] = set()
        """Recipients that are not taken."""
        self.logins: list[str] = []
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.chain, certificate.key)
        self.certificate = certificate
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            ssl_context=context if is_tls else None,
            tls_context=context if has_starttls else None,
            require_starttls=has_starttls,
            authenticator=self._authenticate,
            auth_required=False,
            auth_require_tls=not is_tls,
        )
        self._scheme = "smtps" if is_tls else "smtp"

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        self.logins.append(data.login.decode())
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)

    async def handle_RCPT(  # noqa: N802 - the library's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the library's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.mail_from or "", list(envelope.rcpt_tos), message))
        return "250 taken"

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    @property
    def address(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._controller.port}"

    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for _, _, message in self.mails]


@pytest.fixture
def start_postbox() -> Iterator[Callable[..., Postbox]]:
    """Start mail servers, which end with the test."""
    running: list[Postbox] = []

    def start(
        certificate: Certificate | None, *, is_tls: bool = False, has_starttls: bool = True
    ) -> Postbox:
        box = Postbox(certificate, is_tls=is_tls, has_starttls=has_starttls and not is_tls)
        box.start()
        running.append(box)
        return box

    yield start
    for box in running:
        box.stop()


@pytest.fixture
def postbox(start_postbox: Callable[..., Postbox], infisical_certificate: Certificate) -> Postbox:
    """A server that insists on STARTTLS."""
    return start_postbox(infisical_certificate)
