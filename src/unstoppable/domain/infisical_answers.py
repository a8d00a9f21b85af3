"""What the answers of an Infisical server mean; nothing that is secret gets into an error."""
# ruff: noqa: EM102, TRY004 - what is wrong is one sentence about what a server sent

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus as Status

from unstoppable.domain.infisical import Identity, InfisicalReference, Resolved
from unstoppable.domain.secret_errors import (
    ClientSecretSpent,
    ClientSecretWrong,
    IdentityLocked,
    InfisicalFailed,
    InfisicalMisunderstood,
    MachineRefused,
    PathMissing,
    PermissionMissing,
    ProjectUnknown,
    SecretMissing,
    TokenRefused,
    ValueElsewhere,
    ValueEmpty,
    ValueHidden,
)
from unstoppable.domain.text import printable

MASK = "<hidden-by-infisical>"
"""What stands in place of a value that an identity may not read."""
_ASKED = re.compile(r"try again in (\d{1,6}) second")
_SECONDS = re.compile(r"\d{1,6}")
_TOLD_CHARACTERS = 80
_REFUSALS = {
    Status.BAD_REQUEST,
    Status.UNAUTHORIZED,
    Status.FORBIDDEN,
    Status.UNPROCESSABLE_ENTITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came for a request."""

    status: int
    content: object = field(repr=False)
    """The JSON; None where there is none."""
    retry_after: str | None = None

    def told(self, name: str) -> str:
        """Return a text of an error's JSON, which is none of ours and never shown."""
        found = self.content.get(name) if isinstance(self.content, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def is_route_missing(self) -> bool:
        """Whether the server is too old for the route; it says NotFound of what a route misses."""
        return self.status == Status.NOT_FOUND and self.told("error") != "NotFound"

    @property
    def is_token_gone(self) -> bool:
        """Whether to log in again: an expired token is 401 or, by its signature, 403."""
        return self.status == Status.UNAUTHORIZED or (
            self.status == Status.FORBIDDEN and self.told("error") == "TokenError"
        )

    @property
    def seconds_asked(self) -> int | None:
        """For how long the server asks to be left alone; None where it does not say."""
        asked = [int(found[1]) for found in _ASKED.finditer(self.told("message"))]
        if self.retry_after and _SECONDS.fullmatch(self.retry_after.strip()):
            asked.append(int(self.retry_after))
        return max(asked, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A secret of a list."""

    name: str
    value: str = field(repr=False)
    version: int
    path: str
    environment: str
    project_id: str
    is_hidden: bool


def new_token(answer: Answer) -> str:
    """Return the token of a login; raises ValueError with a sentence."""
    found = answer.told("accessToken")
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise ValueError("its answer to the login holds no token")
    return found


def entries(answer: Answer) -> tuple[Entry, ...]:
    """Return the secrets of a list, without what it imports; raises ValueError with a sentence."""
    found = answer.content.get("secrets") if isinstance(answer.content, dict) else None
    if not isinstance(found, list):
        raise ValueError("its answer holds no list of secrets")
    return tuple(_entry(one) for one in found)


def _entry(found: object) -> Entry:
    texts = ("secretKey", "secretValue", "secretPath", "environment", "workspace")
    if not isinstance(found, dict):
        raise ValueError("a secret in its list is no object")
    for name in texts:
        if not isinstance(found.get(name), str):
            raise ValueError(f"a secret in its list has no {name}")
    version = found.get("version")
    if type(version) is not int or version < 1:
        raise ValueError("a secret in its list has no version")
    key, value, path, environment, workspace = (found[name] for name in texts)
    return Entry(
        name=key,
        value=value,
        version=version,
        path=path,
        environment=environment,
        project_id=workspace,
        is_hidden=found.get("secretValueHidden", False) is not False or value == MASK,
    )


def choose(found: Sequence[Entry], reference: InfisicalReference, identity: Identity) -> Resolved:
    """Return what a list holds for a reference; raises ReferenceUnusable."""
    told, customer = printable(str(reference)), identity.customer
    place = identity.environment
    if not found:
        path = printable(reference.path)
        raise PathMissing(reference=told, customer=customer, path=path, environment=place)
    named = [entry for entry in found if entry.name == reference.name]
    if not named:
        nearest = _nearest(reference, found)
        raise SecretMissing(reference=told, customer=customer, environment=place, nearest=nearest)
    wrong = [_elsewhere(entry, reference, identity) for entry in named]
    if len(named) > 1 or any(wrong):
        at = next(filter(None, wrong), f"{len(named)} times")
        raise ValueElsewhere(server=identity.server, reference=told, customer=customer, found=at)
    if named[0].is_hidden:
        raise ValueHidden(reference=told, customer=customer)
    # The server itself takes away all white space around a value but one line break.
    value = named[0].value.removesuffix("\n")
    if not value.strip():
        raise ValueEmpty(reference=told, customer=customer)
    return Resolved(value=value, version=named[0].version)


def _nearest(reference: InfisicalReference, found: Sequence[Entry]) -> str:
    names = [entry.name for entry in found]
    name = difflib.get_close_matches(reference.name, names, n=1, cutoff=0)[0]
    return _shown(str(InfisicalReference(reference.path, name)))


def _elsewhere(entry: Entry, reference: InfisicalReference, identity: Identity) -> str:
    """Return from where an entry is that is not from where it was asked; else nothing."""
    if entry.project_id != identity.project_id:
        return f"project {_shown(entry.project_id)}"
    if entry.environment != identity.environment:
        return f"environment {_shown(entry.environment)}"
    if entry.path != reference.path:
        return f"path {_shown(entry.path)}"
    return ""


def _shown(text: str) -> str:
    """Return what a server said, no longer than a name or a path is."""
    return printable(text[:_TOLD_CHARACTERS])


def login_refused(answer: Answer, identity: Identity) -> InfisicalFailed:
    """Return why a login was not taken."""
    server, customer = identity.server, identity.customer
    client_id, name = identity.client_id, identity.client_secret.name
    message = answer.told("message").lower()
    if answer.status not in _REFUSALS:
        reason = f"it answered {answer.status} to the login"
        return InfisicalMisunderstood(server=server, customer=customer, reason=reason)
    if answer.status == Status.FORBIDDEN or "ip address" in message:
        return MachineRefused(server=server, client_id=client_id, customer=customer)
    if "locked" in message:
        return IdentityLocked(server=server, client_id=client_id, customer=customer)
    if "expired client secret" in message or "usage limit" in message:
        return ClientSecretSpent(server=server, name=name, customer=customer)
    return ClientSecretWrong(server=server, client_id=client_id, customer=customer, name=name)


def list_refused(answer: Answer, identity: Identity, path: str) -> InfisicalFailed:
    """Return why a path was not listed."""
    server, customer, client_id = identity.server, identity.customer, identity.client_id
    project_id, place = identity.project_id, identity.environment
    if answer.is_token_gone:
        return TokenRefused(server=server, client_id=client_id, customer=customer)
    if answer.status == Status.FORBIDDEN:
        return PermissionMissing(
            client_id=client_id,
            customer=customer,
            path=printable(path),
            environment=place,
            project_id=project_id,
        )
    if answer.status in _REFUSALS or answer.told("error") == "NotFound":
        return ProjectUnknown(
            server=server, project_id=project_id, environment=place, customer=customer
        )
    reason = f"it answered {answer.status} when asked for secrets"
    return InfisicalMisunderstood(server=server, customer=customer, reason=reason)
