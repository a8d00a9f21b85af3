"""Cold in a bucket: where it lies, and how the server there is reached."""
# ruff: noqa: EM102 - what is wrong is one sentence

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from unstoppable.domain.secret import Secret
from unstoppable.domain.storage_errors import CredentialInvalid

SCHEME = "s3://"
DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = re.compile(r"[A-Za-z0-9._-]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_AWS = "amazonaws.com"
_TLS_PORT = 443
_LONGEST_PREFIX = 512
"""A server takes 1024 for the whole name of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Prefix:
    """A part of a bucket; without a slash at either end of the prefix, which may be empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `s3://bucket/prefix` names; raises ValueError with a sentence."""
        _refuse_user(text)
        bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
        prefix = prefix.removesuffix("/")
        if not _BUCKET.fullmatch(bucket) or ".." in bucket or _is_address(bucket):
            raise ValueError(
                f"'{bucket}' is no name of a bucket: 3 to 63 of a-z, 0-9, - and ., "
                "a letter or digit at either end"
            )
        for part in prefix.split("/") if prefix else ():
            if not _PART.fullmatch(part) or part in {".", ".."}:
                raise ValueError(
                    f"'{part}' in the prefix is not made of letters, digits, -, _ and . alone"
                )
        if len(prefix) > _LONGEST_PREFIX:
            raise ValueError(f"the prefix is longer than {_LONGEST_PREFIX} characters")
        return cls(bucket=bucket, prefix=prefix)

    def below(self, *parts: str) -> Self:
        """Return a place further down."""
        return replace(self, prefix="/".join(filter(None, (self.prefix, *parts))))

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".removesuffix("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How a server is reached, and how much is asked of it."""

    endpoint: str
    region: str
    virtual_host: bool
    """Whether the bucket is part of the host's name, not of the path."""
    ca_file: str | None
    """The certificates that are trusted instead of the system's."""
    connections: int
    bytes_per_second: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One half of an access key, and which setting gives it."""

    name: str
    secret: Secret

    def resolve(self) -> str:
        """Return it; raises CredentialMissing, CredentialInvalid or SecretUnreadable."""
        return credential(self.secret.resolve(), name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Cold:
    """Cold in a bucket, and what opens it; no secret is read before the bucket is opened."""

    place: S3Prefix
    access: S3Access
    access_key_id: Credential
    secret_access_key: Credential

    def below(self, *parts: str) -> Self:
        """Return a place further down, reached in the same way."""
        return replace(self, place=self.place.below(*parts))

    def __str__(self) -> str:
        return str(self.place)


def credential(text: str, *, name: str) -> str:
    """Return one half of an access key; raises CredentialInvalid, which never tells the value."""
    if not text or not text.isprintable() or text != text.strip():
        reason = "it holds line breaks, or blanks at an end"
        raise CredentialInvalid(name=name, reason=reason if text else "it is empty")
    return text


def endpoint(text: str, *, example: str = "https://s3.example.com") -> str:
    """Return the address of a server, `https://host[:port]`; raises ValueError with a sentence.

    `http://` is taken for this machine itself alone.
    """
    _refuse_user(text)
    try:
        found = urlsplit(text)
        host, port = found.hostname or "", found.port
    except ValueError as error:
        raise ValueError(f"'{text}' is no address: {error}") from error
    is_plain = found.scheme == "http"
    # The parser leaves out what it does not understand, such as a line break.
    is_host = text.isprintable() and (_is_address(host) or _HOST.fullmatch(host))
    if not is_host or found.scheme not in {"http", "https"} or port == 0:
        raise ValueError(f"'{text}' is not an address such as {example}")
    if found.path not in {"", "/"} or found.query or found.fragment:
        raise ValueError("it holds more than https://, a host and a port")
    if is_plain and not is_loopback(host):
        raise ValueError(f"'{text}' is not encrypted; http:// is for this machine itself alone")
    name = f"[{host}]" if ":" in host else host
    return f"{found.scheme}://{name}" + (f":{port}" if port is not None else "")


def server_of(address: str, bucket: str) -> str:
    """Return which server an address names, however that is written: to compare, not to connect.

    All of AWS is one: a bucket's name is given there once. What two names lead to one server only
    a resolver knows.
    """
    found = urlsplit(address)
    host = (found.hostname or "").removesuffix(".").removeprefix(f"{bucket}.")
    if host == _AWS or host.endswith(f".{_AWS}"):
        return _AWS
    name = f"[{host}]" if ":" in host else host
    port = found.port or {"http": 80}.get(found.scheme, _TLS_PORT)
    return name if port == _TLS_PORT else f"{name}:{port}"


def endpoint_of_aws(region: str) -> str:
    """Return the address of AWS in a region."""
    return f"https://s3.{region}.amazonaws.com"


def region(text: str) -> str:
    """Return the name of a region; raises ValueError with a sentence."""
    if not _REGION.fullmatch(text):
        raise ValueError(f"'{text}' is not a region such as eu-central-1")
    return text


def _refuse_user(text: str) -> None:
    # The text is not told: other programs take a password there.
    if "@" in text:
        raise ValueError("a user or a password does not belong there")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
