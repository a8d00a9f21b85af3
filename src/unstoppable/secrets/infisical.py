"""Secrets from an Infisical server, for one customer and one run at a time.

A client of our own: the official one mixes up projects in its cache, has no deadline, and takes
what stands in place of a hidden value for the value.
"""

from collections.abc import Iterable, Iterator
from typing import Self

import httpx2

from unstoppable.domain.infisical import Identity, InfisicalReference, Resolved
from unstoppable.domain.infisical_answers import (
    Answer,
    Entry,
    choose,
    entries,
    list_refused,
    login_refused,
    new_token,
)
from unstoppable.domain.secret_errors import InfisicalFailed, PermissionMissing, ReferenceUnusable
from unstoppable.secrets.infisical_server import Ask, Limits, Server

_LOGIN = "/api/v1/auth/universal-auth/login"
_REVOKE = "/api/v1/auth/token/revoke"
_LIST, _OLD_LIST = "/api/v4/secrets", "/api/v3/secrets/raw"
_AS_THEY_ARE = {
    "viewSecretValue": "true",
    "expandSecretReferences": "false",
    "recursive": "false",
    # Versions of the server differ in the name of this one, and pass over the other.
    "include_imports": "false",
    "includeImports": "false",
}
_DEFAULT_LIMITS = Limits()


def resolve(
    identity: Identity,
    references: Iterable[InfisicalReference],
    limits: Limits = _DEFAULT_LIMITS,
) -> dict[InfisicalReference, Resolved]:
    """Return the value of each reference of one customer: of all of them, or of none.

    Raises InfisicalFailed, for the first in order that cannot be had, and what is wrong with the
    identity on this machine: ClientSecretInvalid, SecretUnreadable, InfisicalCaUnreadable,
    FileUnsafe.
    """
    values: dict[InfisicalReference, Resolved] = {}
    for reference, found in look(identity, references, limits).items():
        if isinstance(found, InfisicalFailed):
            raise found
        values[reference] = found
    return values


def look(
    identity: Identity,
    references: Iterable[InfisicalReference],
    limits: Limits = _DEFAULT_LIMITS,
) -> dict[InfisicalReference, Resolved | InfisicalFailed]:
    """Return the value of each reference of one customer, or why that one cannot be had.

    One login, one list of each folder, and the token is taken back. Raises as `resolve` where
    nothing can be had at all.
    """
    wanted = sorted(set(references))
    with Session(identity, limits) as session:
        return {
            reference: found
            for path in dict.fromkeys(reference.path for reference in wanted)
            for reference, found in _below(path, wanted, session)
        }


def _below(
    path: str, wanted: Iterable[InfisicalReference], session: "Session"
) -> Iterator[tuple[InfisicalReference, Resolved | InfisicalFailed]]:
    here = [reference for reference in wanted if reference.path == path]
    try:
        listed = session.secrets(path)
    except PermissionMissing as error:
        yield from ((reference, error) for reference in here)
        return
    for reference in here:
        try:
            yield reference, choose(listed, reference, session.identity)
        except ReferenceUnusable as error:
            yield reference, error


class Session:
    """What an identity may see at its server, until the context ends."""

    def __init__(self, identity: Identity, limits: Limits) -> None:
        self.identity = identity
        self._server = Server(identity, limits)
        self._token: str | None = None
        self._is_old = False
        """Whether the server has the older list alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        with self._server:
            if self._token:
                body = {"accessToken": self._token}
                self._server.ask_at_last(Ask(method="POST", path=_REVOKE, body=body))
                self._token = None

    def secrets(self, path: str) -> tuple[Entry, ...]:
        """Return what lies directly in a folder; raises InfisicalFailed.

        A token that is not taken, or not any more, is replaced once.
        """
        answer = self._listed(path, self._token or self._log_in())
        if answer.is_token_gone:
            answer = self._listed(path, self._log_in())
        if answer.status != httpx2.codes.OK:
            raise list_refused(answer, self.identity, path)
        try:
            return entries(answer)
        except ValueError as error:
            raise self._server.misunderstood(error) from error

    def _listed(self, path: str, token: str) -> Answer:
        where = {"environment": self.identity.environment, "secretPath": path, **_AS_THEY_ARE}
        if not self._is_old:
            query = {"projectId": self.identity.project_id, **where}
            answer = self._server.ask(Ask(method="GET", path=_LIST, query=query, token=token))
            self._is_old = answer.is_route_missing
            if not self._is_old:
                return answer
        query = {"workspaceId": self.identity.project_id, **where}
        return self._server.ask(Ask(method="GET", path=_OLD_LIST, query=query, token=token))

    def _log_in(self) -> str:
        """Return a new token; a client secret that is refused is never sent again.

        Three that are refused within half a minute lock the identity out.
        """
        self._token = None
        secret = self.identity.client_secret.resolve()
        body = {"clientId": self.identity.client_id, "clientSecret": secret}
        answer = self._server.ask(Ask(method="POST", path=_LOGIN, body=body))
        if answer.status != httpx2.codes.OK:
            raise login_refused(answer, self.identity)
        try:
            self._token = token = new_token(answer)
        except ValueError as error:
            raise self._server.misunderstood(error) from error
        return token
