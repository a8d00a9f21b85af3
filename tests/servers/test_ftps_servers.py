"""The FTPS servers of the tests are what they say they are."""

import base64
import ftplib
import hashlib
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from tests.servers import ftps_server
from tests.servers.ftps import KINDS, Proftpd, Pyftpd, Vsftpd
from tests.servers.ftps_client import listed, session
from tests.servers.ftps_server import Options, Tls
from tests.servers.s3 import free_port

CONTENT = bytes(range(256)) * 300
REFUSED_WITHOUT_REUSE = {"vsftpd": "522", "proftpd": "425"}
with_files = pytest.mark.usefixtures("files")
each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def listed_in_the_clear(ftp: ftplib.FTP_TLS) -> None:
    ftp.prot_c()
    ftp.retrlines("LIST")


def refusal(ftp: ftplib.FTP_TLS) -> str:
    """Return what a server says when asked for a listing, which it must refuse."""
    with pytest.raises((ftplib.Error, OSError)) as refused:
        ftp.retrlines("LIST")
    if isinstance(refused.value, ftplib.Error):
        return str(refused.value)
    return ftp.getmultiline()


@pytest.fixture
def files(served: Path) -> Path:
    (served / "letters").mkdir()
    (served / "letters/bob.txt").write_bytes(CONTENT)
    (served / ".hidden").write_text("")
    return served


@with_files
def test_each_server_lists_and_gives_files_over_the_tls_it_was_told(ftps):
    got: list[bytes] = []

    with session(ftps) as ftp:
        names = listed(ftp, "/")
        ftp.retrbinary("RETR letters/bob.txt", got.append)
        assert isinstance(ftp.sock, ssl.SSLSocket)
        version = ftp.sock.version()

    assert names == {"letters", ".hidden"}
    assert b"".join(got) == CONTENT
    assert version == f"TLSv{ftps.options.tls[0]}"


def test_each_server_refuses_the_tls_it_was_not_told(ftps):
    other: Tls = "1.2" if ftps.options.tls == ("1.3",) else "1.3"

    with pytest.raises((ssl.SSLError, ConnectionError)), session(ftps, tls=other):
        pass


@each
def test_each_server_speaks_both_versions_of_tls(serve, kind):
    server = serve(kind)

    for tls in ("1.2", "1.3"):
        with session(server, tls=tls) as ftp:
            assert ftp.voidcmd("NOOP").startswith("2")


@each
def test_a_server_gives_nothing_to_who_does_not_ask_for_tls(serve, kind):
    server = serve(kind)

    with ftplib.FTP(timeout=10) as ftp:  # noqa: S321 - it is the point
        ftp.connect(server.host, server.port)
        with pytest.raises(ftplib.Error) as refused:
            ftp.login(server.user, server.password)

    assert str(refused.value)[:3] in {"421", "530", "550"}


@each
@with_files
def test_a_server_sends_no_data_in_the_clear(serve, kind):
    server = serve(kind)

    with session(server) as ftp, pytest.raises(ftplib.Error):
        listed_in_the_clear(ftp)


@each
def test_a_wrong_password_is_refused(serve, kind):
    server = serve(kind)
    server.password = "mallory's guess"

    with pytest.raises(ftplib.error_perm, match="530"), session(server):
        pass


@with_files
def test_data_over_a_new_session_is_refused_where_reuse_is_required(ftps):
    with session(ftps, ftplib.FTP_TLS) as ftp:
        if ftps.requires_reuse:
            assert refusal(ftp).startswith(REFUSED_WITHOUT_REUSE[ftps.name])
        else:
            assert listed(ftp, "/") == {"letters", ".hidden"}


@pytest.mark.parametrize("kind", [Vsftpd, Proftpd])
@with_files
def test_reuse_of_sessions_need_not_be_required(serve, kind):
    server = serve(kind, Options(is_reuse_required=False))

    with session(server, ftplib.FTP_TLS) as ftp:
        assert listed(ftp, "/") == {"letters", ".hidden"}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("expired", "certificate has expired"),
        ("for another name", "not valid for '127.0.0.1'"),
        ("self-signed", "self-signed certificate"),
    ],
)
def test_a_certificate_can_be_a_bad_one(serve, shown, said):
    server = serve(Vsftpd, Options(shown=shown))

    with pytest.raises(ssl.SSLCertVerificationError, match=said), session(server):
        pass


@each
def test_a_server_can_bear_few_connections_from_one_address(serve, kind):
    server = serve(kind, Options(connections_per_address=2))

    refused = pytest.raises((ftplib.Error, EOFError))
    with session(server), session(server), refused, session(server):
        pass


@pytest.mark.parametrize("kind", [Vsftpd, Proftpd, Pyftpd])
def test_a_server_can_close_what_is_idle(serve, kind):
    # Long enough to log in on a machine that has other work.
    server = serve(kind, Options(idle_seconds=3))

    with session(server) as ftp:
        assert ftp.sock is not None
        said = b""
        try:
            while some := ftp.sock.recv(100):
                said += some
        except ssl.SSLError:
            pass

    assert said[:3] in {b"421", b""}


@with_files
def test_vsftpd_can_tell_the_times_of_its_own_zone(serve):
    here, there = serve(Vsftpd), serve(Vsftpd, Options(local_zone="CEST-2"))

    with session(here) as utc, session(there) as local:
        told = [ftp.sendcmd("MDTM letters/bob.txt")[4:] for ftp in (utc, local)]

    assert (int(told[1][8:10]) - int(told[0][8:10])) % 24 == 2


@each
@with_files
def test_a_stopped_server_serves_nobody_and_can_start_again(serve, kind):
    server = serve(kind)

    with session(server) as ftp:
        server.stop()
        with pytest.raises((EOFError, OSError)):
            ftp.voidcmd("NOOP")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port))
    server.start_again()

    with session(server) as ftp:
        assert listed(ftp, "/") == {"letters", ".hidden"}


def test_the_pin_is_that_of_the_public_key_the_server_shows(vsftpd, proftpd):
    with session(vsftpd) as ftp:
        assert isinstance(ftp.sock, ssl.SSLSocket)
        shown = load_der_x509_certificate(ftp.sock.getpeercert(binary_form=True) or b"")

    key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert vsftpd.pin == "sha256/" + base64.b64encode(hashlib.sha256(key).digest()).decode()
    assert vsftpd.pin != proftpd.pin


def test_a_server_leaves_nothing_in_the_machine(serve):
    before = [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/shadow", "/proc/mounts")]
    services = sorted(Path("/etc/pam.d").iterdir())

    for kind in KINDS:
        with session(serve(kind)):
            pass

    after = [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/shadow", "/proc/mounts")]
    assert after == before
    assert sorted(Path("/etc/pam.d").iterdir()) == services


@each
def test_a_port_that_somebody_else_took_meanwhile_is_left_to_him(kind, serve, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(ftps_server, "free_port", lambda: next(ports))

        server = serve(kind)

    with session(server) as ftp:
        assert ftp.pwd() == "/"
