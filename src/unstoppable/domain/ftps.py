"""A source on an FTPS server: where it lies, who one is there, and why the server is believed."""
# ruff: noqa: EM102 - what is wrong is one sentence

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from unstoppable.domain.secret import Secret
from unstoppable.domain.source_errors import PasswordInvalid
from unstoppable.domain.text import printable

SCHEME = "ftps://"
DEFAULT_PORT = 21
_PLACE = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]|[^:@\[\]]*)(?::(?P<port>[^:@]*))?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_LONGEST_USER_BYTES = 256
_LONGEST_PATH_BYTES = 4096
_MOST_PORTS = 2**16
_PIN = "sha256/"
_PIN_BYTES = 32
_PIN_DIGITS = 44
_UNQUOTED = "/!$&'()*+,;=:@~"


@dataclass(frozen=True, slots=True, kw_only=True)
class FtpsFolder:
    """A folder of a server, and who one is there."""

    user: str
    host: str
    """A name or an address; without brackets."""
    port: int
    path: bytes
    """As the server calls it, from `/` on."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `ftps://user@host:port/path` names; raises ValueError with a sentence.

        What is not a letter may be written as %41 is for A; of several @ the last one counts.
        """
        place, slash, path = text.removeprefix(SCHEME).partition("/")
        found = _PLACE.fullmatch(place)
        if found is None:
            # The text is not told: it may hold a password.
            raise ValueError("it is not written as ftps://user@host/path")
        return cls(
            user=_user(found["user"]),
            host=_host(found["host"]),
            port=_port(found["port"]),
            path=_path(slash + path),
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORT else f":{self.port}"
        path = quote(self.path, safe=_UNQUOTED)
        return f"{SCHEME}{quote(self.user, safe='@+')}@{host}{port}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FtpsAccess:
    """How a server is reached, and why it is believed."""

    ca_file: str | None
    """The certificates that are trusted instead of the system's."""
    pin: bytes | None
    """The SHA-256 of the one public key that is trusted."""
    allow_private: bool
    """Whether the name may lead to this machine, or to a private network."""
    connections: int
    reread_days: int
    """How often each file is read anew though nothing about it changed."""
    max_files: int
    """Files and folders that one run reads at most."""
    max_bytes: int
    bytes_per_second: int | None
    """How fast files and listings may come; None for as fast as they can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A password, and which setting gives it."""

    name: str
    secret: Secret

    def resolve(self) -> str:
        """Return it; raises PasswordMissing, PasswordInvalid or SecretUnreadable."""
        return password(self.secret.resolve(), name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FtpsSource:
    """A source on a server, and what opens it; no secret is read before it is opened."""

    place: FtpsFolder
    access: FtpsAccess
    password: Password

    def __str__(self) -> str:
        return str(self.place)


def password(text: str, *, name: str) -> str:
    """Return a password; raises PasswordInvalid, which never tells the value."""
    if not text:
        raise PasswordInvalid(name=name, reason="it is empty")
    if any(ord(letter) < ord(" ") for letter in text):
        reason = "it holds a line break or another control character"
        raise PasswordInvalid(name=name, reason=reason)
    return text


def pin(text: str) -> bytes:
    """Return the digest in `sha256/…`, base64 as `curl --pinnedpubkey` takes it too.

    Raises ValueError with a sentence.
    """
    digits = text.removeprefix(_PIN)
    if len(digits) == _PIN_DIGITS + 1:  # base64 has / as a letter
        digits = digits.removeprefix("/")
    try:
        digest = base64.b64decode(digits, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if not text.startswith(_PIN) or len(digest) != _PIN_BYTES:
        raise ValueError(
            f"'{printable(text)}' is not a pin such as `unstoppable source pin` prints"
        )
    return digest


def pin_text(digest: bytes) -> str:
    """Return a pin as it is written."""
    return _PIN + base64.b64encode(digest).decode()


def _user(text: str | None) -> str:
    if not text:
        raise ValueError("it names no user: ftps://user@host/path")
    if ":" in text:
        raise ValueError("a password does not belong there; UNSTOPPABLE_SOURCE_PASSWORD takes it")
    user = _decoded(text, "the user")
    if len(user) > _LONGEST_USER_BYTES:
        raise ValueError(f"the user's name is longer than {_LONGEST_USER_BYTES} bytes")
    try:
        return user.decode()
    except UnicodeDecodeError as error:
        raise ValueError("the user's name is no UTF-8") from error


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError as error:
            raise ValueError(f"'{printable(text)}' is no address") from error
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError(f"'{printable(text)}' is not the name of a server")
    return text.lower()


def _port(text: str | None) -> int:
    if text is None:
        return DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < _MOST_PORTS:
        raise ValueError(f"'{printable(text)}' is not a port from 1 to {_MOST_PORTS - 1}")
    return int(text)


def _path(text: str) -> bytes:
    path = _decoded(text or "/", "the path")
    parts = path.split(b"/")
    if len(path) > _LONGEST_PATH_BYTES:
        raise ValueError(f"the path is longer than {_LONGEST_PATH_BYTES} bytes")
    if b".." in parts or b"." in parts:
        raise ValueError("the path holds . or ..; write it without")
    return b"/" + b"/".join(filter(None, parts))


def _decoded(text: str, what: str) -> bytes:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(f"{what} holds a % that is no %41: write %25 for it")
    if any(mark in text for mark in "?#"):
        raise ValueError(f"{what} holds ? or #: write %3F or %23 for it")
    found = unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
    if any(byte < 0x20 or byte == 0x7F for byte in found):  # noqa: PLR2004 - ASCII's controls
        raise ValueError(f"{what} holds a control character, which FTP takes for its own")
    return found
