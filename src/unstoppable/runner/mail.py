"""Mail: what waits in the outbox, handed to a server that is encrypted and known."""

import errno
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import IO

from unstoppable.domain.delivery import MailServer, Meaning, is_due
from unstoppable.domain.delivery_errors import MailFailed
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.secret import Secret
from unstoppable.domain.text import printable
from unstoppable.runner.outbox import Mail, Outbox
from unstoppable.runner.post import Answer, trust
from unstoppable.runner.reporting import is_news, note_failure

_KEPT_FOR_DAYS = 7
"""A mail that nobody takes is of no use to anybody after that."""
_FIRST_PERMANENT = 500
_LARGEST_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long is waited for a mail server."""

    step_seconds: float = 10
    total_seconds: float = 30
    """One mail, whatever the server does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """Who takes our mail, and as whom."""

    server: MailServer
    sender: str
    user: str | None
    password: Secret | None
    ca_file: Path | None
    limits: Limits = field(default_factory=Limits)

    def send(self, mail: Mail) -> Answer:
        """Hand over a mail and return what came of it; raises nothing."""
        try:
            message = self._message(mail)
        except (ValueError, MessageError) as error:
            cause = f"it cannot be written: {printable(str(error))}"
            return Answer(meaning=Meaning.RECORD_REFUSED, cause=cause)
        try:
            password = self.password.resolve() if self.password else None
            trusted = trust(self.ca_file)
            with self._connected(trusted) as smtp:
                self._encrypt(smtp, trusted)
                if self.user is not None and password is not None:
                    smtp.login(self.user, password)
                smtp.send_message(message, self.sender, [mail.recipient])
        except UnstoppableError as error:
            return Answer(meaning=Meaning.REFUSED, cause=str(error))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return _answer(error, self.limits)
        return Answer(meaning=Meaning.ACCEPTED, cause="")

    @contextmanager
    def _connected(self, trusted: ssl.SSLContext) -> Iterator["_Connection"]:
        """Connect, and cut it when the time is over: a timeout begins anew with each byte."""
        limits, server = self.limits, self.server
        smtp = (
            _TlsConnection(timeout=limits.step_seconds, context=trusted)
            if server.is_tls
            else _Connection(timeout=limits.step_seconds)
        )
        # What TLS compares with the certificate; `connect` alone does not set it.
        smtp._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001
        watch = threading.Timer(limits.total_seconds, _cut, (smtp,))
        watch.daemon = True
        watch.start()
        try:
            smtp.connect(server.host, server.port)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            watch.cancel()
            smtp.close()

    def _encrypt(self, smtp: "_Connection", trusted: ssl.SSLContext) -> None:
        """Have the connection encrypted; in plain text nothing leaves this machine."""
        if self.server.is_tls:
            return
        smtp.ehlo()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=trusted)
        elif not self.server.is_this_machine:
            raise smtplib.SMTPNotSupportedError(
                "it offers no STARTTLS, and nothing goes unencrypted"
            )

    def _message(self, mail: Mail) -> EmailMessage:
        """Return the mail; whatever breaks a line in a header is refused by the library."""
        message = EmailMessage()
        message["From"] = Address("Unstoppable backups", addr_spec=self.sender)
        message["To"] = Address(addr_spec=mail.recipient)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.made_at)
        # Sent twice it is the same mail.
        domain = self.sender.rpartition("@")[2]
        name = f"{mail.number}.{int(mail.made_at.timestamp())}"
        message["Message-ID"] = f"<unstoppable.{name}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body, cte="quoted-printable")
        return message


def deliver(outbox: Outbox, mailer: Mailer, now: Callable[[], datetime]) -> list[UnstoppableError]:
    """Send the mails that wait; returns what a person must be told.

    One that is refused for good stands in the way of no other; after a week it is given up.
    Raises OutboxUnusable.
    """
    server = outbox.channel(_server(mailer))
    if not is_due(server.retry_at, now().timestamp()):
        return []
    troubles: list[UnstoppableError] = []
    for mail in outbox.mails():
        own = outbox.channel(_channel(mail.recipient))
        if not is_due(own.retry_at, now().timestamp()):
            continue
        outbox.require()
        answer = mailer.send(mail)
        if answer.meaning is Meaning.ACCEPTED:
            outbox.drop_mail(mail.number)
            outbox.mend(own.name, server.name)
            continue
        is_for_all = answer.meaning in {Meaning.BROKEN, Meaning.REFUSED}
        note_failure(outbox, failing := server if is_for_all else own, answer, now())
        if is_news(failing, answer):
            outbox.note_told(failing.name)
            to, where = mail.recipient, mailer.server
            troubles.append(MailFailed(recipient=to, server=where, cause=answer.cause))
        if (now() - mail.made_at).days >= _KEPT_FOR_DAYS:
            outbox.drop_mail(mail.number)
        if is_for_all:
            break
    return troubles


def why_waiting(outbox: Outbox, mailer: Mailer, recipient: str) -> str:
    """Return why mail to a recipient was not taken the last time; empty where it was."""
    failing = outbox.channels([_server(mailer), _channel(recipient)])
    return "; ".join(channel.cause for channel in failing)


def _server(mailer: Mailer) -> str:
    return f"mail server {mailer.server}"


def _channel(recipient: str) -> str:
    return f"mail {recipient}"


def _cut(smtp: "_Connection") -> None:
    """End a connection under whoever waits for it, or before it begins."""
    smtp.is_over = True
    if smtp.sock is not None:
        # That of an encrypted one itself would send what comes now as it is.
        with suppress(OSError):
            socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)


class _Connection(smtplib.SMTP):
    """One that a server can neither fill the memory through, nor keep open."""

    is_over = False
    """Whether its time was over, maybe while there was nothing yet that could be cut."""

    def getreply(self) -> tuple[int, bytes]:
        """Return an answer, which is short; raises SMTPServerDisconnected, and closes it."""
        if self.is_over:
            self.close()
            raise smtplib.SMTPServerDisconnected("its time was over before it answered")
        if self.file is None and self.sock is not None:
            self.file = _Answers(self.sock.makefile("rb"))
        if self.file is not None:
            self.file.left_bytes = _LARGEST_ANSWER_BYTES
        return super().getreply()


class _TlsConnection(_Connection, smtplib.SMTP_SSL):
    """The same, encrypted from the beginning."""


class _Answers:
    """What a server says, line by line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.left_bytes = 0
        """How long the rest of an answer may be."""

    def readline(self, limit: int) -> bytes:
        """Return a line; raises OSError where the answer is too long."""
        line = self._file.readline(limit)
        self.left_bytes -= len(line)
        if self.left_bytes < 0:
            raise OSError(errno.EMSGSIZE, "its answer has no end")
        return line

    def close(self) -> None:
        """Close it."""
        self._file.close()


def _answer(error: Exception, limits: Limits) -> Answer:
    """Return what a failure means; what the server says is not told, it may repeat the password."""
    is_refusal = False
    match error:
        case smtplib.SMTPAuthenticationError(smtp_code=code):
            is_refusal, cause = True, f"it answers {code} to the user and password"
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            return _told(max(code for code, _ in recipients.values()), "to the recipient")
        case smtplib.SMTPResponseException(smtp_code=code):
            return _told(code, "to the mail")
        case smtplib.SMTPNotSupportedError():
            is_refusal, cause = True, str(error)
        case ssl.SSLCertVerificationError(verify_message=told):
            cause = f"its certificate is not trusted: {told}"
        case TimeoutError():
            cause = f"no connection within {limits.step_seconds:g} s"
        case OSError(strerror=str() as told):
            cause = told
        case _:
            cause = "it does not answer as a mail server does, or not in time"
    return Answer(meaning=Meaning.REFUSED if is_refusal else Meaning.BROKEN, cause=cause)


def _told(code: int, what: str) -> Answer:
    is_for_good = code >= _FIRST_PERMANENT
    meaning = Meaning.RECORD_REFUSED if is_for_good else Meaning.LATER
    return Answer(meaning=meaning, cause=f"it answers {code} {what}")
