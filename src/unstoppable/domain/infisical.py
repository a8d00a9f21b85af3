"""Secrets that an Infisical server keeps: which ones, and as whom they are asked for."""
# ruff: noqa: EM102 - what is wrong is one sentence

import re
from dataclasses import dataclass, field
from typing import Self

from unstoppable.domain import s3
from unstoppable.domain.secret import Secret
from unstoppable.domain.secret_errors import ClientSecretInvalid

SCHEME = "infisical:"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_LONGEST_REFERENCE = 1024


@dataclass(frozen=True, slots=True, order=True)
class InfisicalReference:
    """A secret by its name in a folder; the root folder is `/`."""

    path: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `infisical:/acme/S3_KEY_ID` refers to; raises ValueError with a sentence.

        The text is not told: somebody may have put the secret itself there.
        """
        place = text.removeprefix(SCHEME)
        if not place.startswith("/"):
            raise ValueError(f"after {SCHEME} stands the path of a secret, which starts with /")
        if len(place) > _LONGEST_REFERENCE:
            raise ValueError(f"it is longer than {_LONGEST_REFERENCE} characters")
        *folders, name = place[1:].split("/")
        if not name:
            raise ValueError("it ends with /: the name of the secret is missing")
        for part in (*folders, name):
            _refuse_part(part)
        return cls("/" + "/".join(folders), name)

    def __str__(self) -> str:
        return f"{SCHEME}{self.path.removesuffix('/')}/{self.name}"


def _refuse_part(part: str) -> None:
    if not part:
        raise ValueError("it holds // where the name of a folder is missing")
    if part in {".", ".."}:
        raise ValueError("it holds . or .. in place of a folder")
    if not part.isprintable() or part != part.strip():
        raise ValueError("it holds characters that are not printed, or blanks around a name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """What an identity logs in with, and which setting gives it."""

    name: str
    secret: Secret

    def resolve(self) -> str:
        """Return it; raises ClientSecretInvalid, which never tells the value, or what hinders."""
        text = self.secret.resolve()
        if not text or not text.isprintable() or text != text.strip():
            reason = "it holds line breaks, or blanks at an end" if text else "it is empty"
            raise ClientSecretInvalid(name=self.name, reason=reason)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A customer's machine identity, which logs in by universal auth."""

    customer: str
    server: str
    """Its address, as `address` returns it; anything else raises ValueError."""
    project_id: str
    environment: str
    """The slug, such as `prod`."""
    client_id: str
    client_secret: ClientSecret
    ca_file: str | None = None
    """The certificates that are trusted instead of the system's."""

    def __post_init__(self) -> None:
        # It is where the client secret goes.
        if address(self.server) != self.server:
            raise ValueError(f"'{self.server}' is not the shortest form of an address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A secret, and how often it was changed: what a run may tell of it."""

    value: str = field(repr=False)
    version: int


def address(text: str) -> str:
    """Return the address of a server, `https://host[:port]`; raises ValueError with a sentence."""
    return s3.endpoint(text, example="https://infisical.example.com")


def project_id(text: str) -> str:
    """Return the id of a project; raises ValueError with a sentence."""
    return _id(text, "no id of a project; Infisical shows it in the project's settings")


def environment(text: str) -> str:
    """Return the slug of an environment; raises ValueError with a sentence."""
    return _id(text, "no slug of an environment such as prod")


def client_id(text: str) -> str:
    """Return the client id of an identity; raises ValueError with a sentence."""
    return _id(text, "no client id; Infisical shows it with the identity's universal auth")


def _id(text: str, otherwise: str) -> str:
    # The text is not told: the client secret stands next to it in Infisical.
    if not _ID.fullmatch(text):
        raise ValueError(f"it is {otherwise}")
    return text
