"""Mail: encrypted, to each who is to be told, again until it is taken, and nothing slipped in."""

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from tests.servers.postbox import PASSWORD, USER
from tests.servers.s3 import Certificate
from tests.unit.runner.record import BEGAN
from unstoppable.domain.alerts import Alert
from unstoppable.domain.delivery import MailServer
from unstoppable.domain.delivery_errors import MailFailed
from unstoppable.runner.mail import Limits, Mailer, _cut, deliver, why_waiting
from unstoppable.runner.outbox import Outbox
from unstoppable.runner.post import trust
from unstoppable.secrets.reference import InFile, Literal

NO_SERVER = "it does not answer as a mail server does, or not in time"
HASTY = Limits(step_seconds=0.5, total_seconds=1.5)


class Writer:
    """An outbox whose mails go to one server."""

    def __init__(self, state, address, authority, **more) -> None:
        self.outbox, self.now = Outbox(state), BEGAN
        usual = {"user": None, "password": None, "sender": "backup@acme.example", "limits": HASTY}
        server = MailServer.parse(address)
        self.mailer = Mailer(server=server, ca_file=authority, **(usual | more))

    def write(self, recipient="ops@acme.example", subject="backups: acme/www needs you", body="x"):
        alert = Alert(recipient=recipient, subject=subject, body=body, made_at=self.now)
        self.outbox.note_alerts({}, [alert])

    def send(self):
        return deliver(self.outbox, self.mailer, lambda: self.now)

    def cause(self, recipient="ops@acme.example"):
        return why_waiting(self.outbox, self.mailer, recipient)


@pytest.fixture
def writer(tmp_path, postbox):
    return Writer(tmp_path, postbox.address, postbox.certificate.authority)


def test_a_mail_is_taken_once_encrypted_and_says_what_it_is(writer, postbox):
    writer.write(body="Zürich needs you\n")

    assert writer.send() == []
    assert writer.send() == []

    [(sender, recipients, message)] = postbox.mails
    assert (sender, recipients) == ("backup@acme.example", ["ops@acme.example"])
    assert message["Subject"] == "backups: acme/www needs you"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@acme.example>")
    assert message.get_content().splitlines() == ["Zürich needs you"]


def test_a_server_that_is_encrypted_from_the_beginning_takes_it_too(
    tmp_path, start_postbox, infisical_certificate
):
    box = start_postbox(infisical_certificate, is_tls=True)
    writer = Writer(tmp_path, box.address, infisical_certificate.authority)
    writer.write()

    writer.send()

    assert len(box.mails) == 1


def test_a_user_logs_in_with_a_password_that_is_read_then(writer, postbox, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    kept = InFile(name="UNSTOPPABLE_SMTP_PASSWORD", path=secret)
    writer = Writer(
        tmp_path, postbox.address, postbox.certificate.authority, user=USER, password=kept
    )
    writer.write()

    writer.send()

    assert (len(postbox.mails), postbox.logins) == (1, [USER])


def test_a_wrong_password_is_told_at_once_and_not_shown(tmp_path, postbox):
    writer = Writer(
        tmp_path,
        postbox.address,
        postbox.certificate.authority,
        user=USER,
        password=Literal("5ecret-wrong"),
    )
    writer.write()

    [error] = writer.send()

    assert isinstance(error, MailFailed)
    assert "it answers 535 to the user and password" in str(error)
    assert "5ecret" not in str(error) + writer.outbox.path.read_bytes().decode(errors="replace")
    assert postbox.mails == []


def test_a_password_that_cannot_be_read_is_told(tmp_path, postbox):
    kept = InFile(name="UNSTOPPABLE_SMTP_PASSWORD", path=tmp_path / "missing")
    writer = Writer(
        tmp_path, postbox.address, postbox.certificate.authority, user=USER, password=kept
    )
    writer.write()

    [error] = writer.send()

    assert "UNSTOPPABLE_SMTP_PASSWORD" in str(error)


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_certificate_of_nobody_known_gets_no_mail(
    tmp_path, start_postbox, infisical_certificate, is_tls
):
    box = start_postbox(infisical_certificate, is_tls=is_tls)
    writer = Writer(tmp_path, box.address, None)
    writer.write()

    writer.send()

    assert "its certificate is not trusted" in writer.cause()
    assert box.mails == []


def test_a_certificate_for_another_name_gets_no_mail(tmp_path, start_postbox):
    certificate = Certificate.make(tmp_path, names="DNS:other.example")
    box = start_postbox(certificate)
    writer = Writer(tmp_path / "state", box.address, certificate.authority)
    writer.write()

    writer.send()

    assert "its certificate is not trusted" in writer.cause()
    assert box.mails == []


def test_what_is_not_encrypted_goes_to_this_machine_itself_alone(
    tmp_path, start_postbox, monkeypatch
):
    box = start_postbox(None, has_starttls=False)
    writer = Writer(tmp_path, box.address, None)
    writer.write()
    writer.send()
    monkeypatch.setattr(MailServer, "is_this_machine", property(lambda _server: False))
    writer.write()

    [error] = writer.send()

    assert "it offers no STARTTLS, and nothing goes unencrypted" in str(error)
    assert len(box.mails) == 1


def test_a_mail_that_is_put_off_is_sent_again_and_told_of_at_the_third_time(writer, postbox):
    postbox.refusal = "451 come again"
    writer.write()
    told = []
    for minutes in (0, 1, 2, 4):
        writer.now += timedelta(minutes=minutes)
        told.append(writer.send())
    postbox.refusal = ""
    writer.now += timedelta(hours=2)
    last = writer.send()

    assert [len(errors) for errors in (*told, last)] == [0, 0, 1, 0, 0]
    assert "it answers 451 to the mail" in str(told[2][0])
    assert len(postbox.mails) == 1
    assert writer.cause() == ""


def test_a_recipient_that_is_refused_keeps_nobody_elses_mail(writer, postbox):
    postbox.refused = {"gone@acme.example"}
    writer.write("gone@acme.example")
    writer.write("ops@acme.example")

    [error] = writer.send()

    assert "mail to gone@acme.example is not taken" in str(error)
    assert [recipients for _, recipients, _ in postbox.mails] == [["ops@acme.example"]]


def test_a_server_that_is_away_is_asked_once_for_all_mails_and_told_of_once(tmp_path, monkeypatch):
    writer = Writer(tmp_path, "smtp://127.0.0.1:1", None)
    attempts = []
    whole = Mailer.send

    def counted(mailer, mail):
        attempts.append(mail.number)
        return whole(mailer, mail)

    monkeypatch.setattr(Mailer, "send", counted)
    for number in range(5):
        writer.write(f"ops{number}@acme.example")

    told = [error for _ in range(6) for error in _later(writer)]

    assert len(attempts) == 6
    assert [str(error) for error in told] == [
        "mail to ops0@acme.example is not taken by smtp://127.0.0.1:1: Connection refused"
    ]


def _later(writer):
    writer.now += timedelta(hours=2)
    return writer.send()


def test_a_mail_that_nobody_takes_for_a_week_is_given_up(writer, postbox):
    postbox.refusal = "554 no"
    writer.write()
    writer.send()
    writer.now += timedelta(days=8)

    writer.send()

    assert writer.outbox.mails() == []


def test_a_mail_survives_the_process(writer, postbox, tmp_path):
    writer.write()

    again = Writer(tmp_path, postbox.address, postbox.certificate.authority)
    again.send()

    assert len(postbox.mails) == 1


@contextmanager
def saying(*pieces: bytes, pause: float):
    """A server that says these bytes, one after the other, to whoever connects."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve():
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                if over.wait(pause):
                    return
            over.wait(20)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"smtp://127.0.0.1:{listening.getsockname()[1]}"
    over.set()
    listening.close()
    thread.join()


@pytest.mark.parametrize(
    ("pieces", "cause"),
    [
        ([], NO_SERVER),
        ([b"x"] * 200, NO_SERVER),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], NO_SERVER),
        ([b"220 " + b"x" * 70_000 + b"\r\n"], "it answers 500 to the mail"),
    ],
)
def test_a_server_that_says_nothing_or_nonsense_or_drips_is_given_up_in_time(
    tmp_path, pieces, cause
):
    with saying(*pieces, pause=0.1) as address:
        writer = Writer(tmp_path, address, None)
        writer.write()
        began = time.monotonic()

        writer.send()

    assert time.monotonic() - began < 4
    assert writer.cause() == cause
    assert len(writer.outbox.mails()) == 1


@contextmanager
def flooding(piece: bytes):
    """A server that never ends its first answer; yields its address and what it got rid of."""
    listening, sent = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            while True:
                connection.sendall(piece)
                sent.append(len(piece))

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"smtp://127.0.0.1:{listening.getsockname()[1]}", sent
    thread.join()
    listening.close()


def test_a_server_whose_answer_has_no_end_fills_no_memory(tmp_path):
    with flooding(b"220-" + b"x" * 8_000 + b"\r\n") as (address, sent):
        writer = Writer(tmp_path, address, None)
        writer.write()

        writer.send()

    assert writer.cause() == NO_SERVER
    assert sum(sent) < 32 << 20  # what the kernel itself takes


def test_a_server_whose_name_took_all_the_time_may_not_drip(tmp_path, monkeypatch):
    whole = socket.create_connection

    def slowly(*address, **more):
        time.sleep(HASTY.total_seconds + 0.2)
        return whole(*address, **more)

    monkeypatch.setattr(socket, "create_connection", slowly)
    with saying(*[b"x"] * 60, pause=0.1) as address:
        writer = Writer(tmp_path, address, None)
        writer.write()
        began = time.monotonic()

        writer.send()

    assert time.monotonic() - began < HASTY.total_seconds + 2
    assert writer.cause() == NO_SERVER


def test_a_connection_that_is_cut_never_goes_on_unencrypted(
    tmp_path, start_postbox, infisical_certificate
):
    box = start_postbox(infisical_certificate, is_tls=True)
    writer = Writer(tmp_path, box.address, infisical_certificate.authority)
    with writer.mailer._connected(trust(infisical_certificate.authority)) as smtp:
        _cut(smtp)

        # Without it the rest, a password say, would be sent as it is.
        assert isinstance(smtp.sock, ssl.SSLSocket)
        assert smtp.sock.version() is not None


def test_a_line_break_in_a_subject_is_refused_and_slips_nothing_in(writer, postbox):
    writer.write(subject="x\r\nBcc: mallory@evil.example\r\n\r\nhello")

    writer.send()

    assert postbox.mails == []
    assert len(writer.outbox.mails()) == 1


@pytest.mark.parametrize("recipient", ["a..b@acme.example", "ops@acme.", "ops@a..example"])
def test_a_mail_that_cannot_be_written_keeps_nobody_elses_mail(writer, postbox, recipient):
    writer.write(recipient)
    writer.write("ops@acme.example")

    [error] = writer.send()

    assert f"mail to {recipient} is not taken" in str(error)
    assert [recipients for _, recipients, _ in postbox.mails] == [["ops@acme.example"]]
