import base64

import pytest

from unstoppable.domain import ftps
from unstoppable.domain.ftps import FtpsFolder
from unstoppable.domain.source_errors import PasswordInvalid, ServerUnavailable

DIGEST = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "path"),
    [
        ("ftps://alice@ftp.example.com", "alice", "ftp.example.com", 21, b"/"),
        ("ftps://alice@FTP.example.com/", "alice", "ftp.example.com", 21, b"/"),
        ("ftps://alice@host:990/a//b/", "alice", "host", 990, b"/a/b"),
        ("ftps://alice@10.0.0.1/x", "alice", "10.0.0.1", 21, b"/x"),
        ("ftps://alice@[fd00::0:1]:2121/x", "alice", "fd00::1", 2121, b"/x"),
        ("ftps://alice@example.com@host/x", "alice@example.com", "host", 21, b"/x"),
        ("ftps://al%3Aice@host/a%20b%FF%25", "al:ice", "host", 21, b"/a b\xff%"),
        ("ftps://alice@host/\N{SNOWMAN}", "alice", "host", 21, b"/\xe2\x98\x83"),
    ],
)
def test_a_place_on_a_server_is_read_and_told(text, user, host, port, path):
    place = FtpsFolder.parse(text)

    assert (place.user, place.host, place.port, place.path) == (user, host, port, path)
    assert FtpsFolder.parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        "ftps://",
        "ftps://host/x",
        "ftps://@host/x",
        "ftps://alice@/x",
        "ftps://alice@host:0/x",
        "ftps://alice@host:65536/x",
        "ftps://alice@host:x/x",
        "ftps://alice@ho st/x",
        "ftps://alice@host../x",
        "ftps://alice@[::1/x",
        "ftps://alice@[::g]/x",
        "ftps://alice@host/a/../b",
        "ftps://alice@host/.",
        "ftps://alice@host/a%0Ab",
        "ftps://alice@host/a%zz",
        "ftps://alice@host/a?b",
        "ftps://alice@host/a#b",
        "ftps://al%0Dice@host/",
        "ftps://%FF@host/",
        f"ftps://{'a' * 257}@host/",
        f"ftps://alice@host/{'a' * 4097}",
    ],
)
def test_what_could_be_another_place_is_refused(text):
    with pytest.raises(ValueError, match=r"[a-z]"):
        FtpsFolder.parse(text)


@pytest.mark.parametrize("text", ["ftps://alice:hunter2@host/x", "ftps://a:hunter2@b@host"])
def test_a_password_there_is_refused_and_not_told(text):
    with pytest.raises(ValueError, match="UNSTOPPABLE_SOURCE_PASSWORD") as raised:
        FtpsFolder.parse(text)

    assert "hunter2" not in str(raised.value)


def test_a_pin_is_read_as_others_write_it():
    digits = base64.b64encode(DIGEST).decode()
    slash = b"\xff" * 32

    assert ftps.pin(ftps.pin_text(DIGEST)) == DIGEST
    assert ftps.pin(f"sha256//{digits}") == DIGEST
    assert ftps.pin(ftps.pin_text(slash)) == slash
    assert ftps.pin("sha256//" + base64.b64encode(slash).decode()) == slash


@pytest.mark.parametrize(
    "text", ["", "sha256/", "sha256/AAAA", "sha1/" + "A" * 44, "A" * 44, "sha256/" + "!" * 44]
)
def test_what_is_no_pin_is_refused(text):
    with pytest.raises(ValueError, match="is not a pin"):
        ftps.pin(text)


def test_a_password_that_would_be_a_command_is_refused_and_not_told():
    assert ftps.password(" any  thing \N{SNOWMAN}", name="X") == " any  thing \N{SNOWMAN}"
    for text in ("", "secret\r\nDELE x", "secret\0"):
        with pytest.raises(PasswordInvalid) as raised:
            ftps.password(text, name="X")
        assert "secret" not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize(
    ("cause", "way_out"),
    [
        ("cannot log in: the server says 530", "UNSTOPPABLE_SOURCE_PASSWORD"),
        ("the server is not trusted: UnknownIssuer", "unstoppable source pin"),
        ("cannot have files encrypted: the server says 536", "explicit TLS"),
        ("ftp.example.com leads to 10.0.0.1, which is not on the internet", "ALLOW_PRIVATE"),
        ("something new", "unstoppable source check"),
    ],
)
def test_what_a_server_says_has_its_own_way_out(cause, way_out):
    assert way_out in ServerUnavailable(resource="acme/www", cause=cause).hint
