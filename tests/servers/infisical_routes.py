"""What the stand-in for an Infisical server answers, route by route, and what it refuses."""

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers.infisical import InfisicalServer, Known, Seen

MASK = "<hidden-by-infisical>"
NAMES = {
    "/api/v1/auth/universal-auth/login": "login",
    "/api/v1/auth/token/renew": "renew",
    "/api/v1/auth/token/revoke": "revoke",
    "/api/v4/secrets": "list",
    "/api/v3/secrets/raw": "list",
}
TOKEN_SECONDS = 2_592_000
LOCKED_AFTER = 3
_MADE_AT = "2026-11-24T08:30:00.000Z"


@dataclass
class Stored:
    """A secret, and what is wrong with it."""

    value: str
    version: int = 1
    is_hidden: bool = False
    """The identity may see it, and not its value."""
    is_flagged: bool = True
    """Whether a hidden value is told to be one; else its mask alone tells."""
    path: str | None = None
    """Another path than that where it lies."""
    environment: str | None = None


class Refused(Exception):
    """An error as the server's handler of errors words it."""

    def __init__(self, status: int, error: str, message: object) -> None:
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


def name(path: str) -> str:
    """Return what a route is called."""
    known = NAMES.get(path)
    return known or next((n for p, n in NAMES.items() if path.startswith(f"{p}/")), "none")


def answer(server: "InfisicalServer", seen: "Seen") -> dict[str, Any]:
    """Return what a request is answered; raises Refused."""
    if seen.method == "POST":
        if seen.headers.get("Content-Type") != "application/json":
            raise Refused(415, "Unsupported Media Type", "Unsupported Media Type")
        match name(seen.path):
            case "login":
                return _login(server, seen.body)
            case "renew":
                return _renewed(server, seen.body)
            case "revoke":
                return _revoked(server, seen.body)
    is_known = "/v3/" in seen.path or server.has_v4
    if seen.method == "GET" and name(seen.path) == "list" and is_known:
        return _read(server, seen)
    raise Refused(404, "Not Found", f"Route {seen.method}:{seen.path} not found")


def _login(server: "InfisicalServer", body: dict[str, Any]) -> dict[str, Any]:
    _require_texts(body, "clientId", "clientSecret")
    known = server.identities.get(body["clientId"].strip())
    if known is None:
        raise Refused(401, "UnauthorizedError", "Invalid credentials")
    if known.is_machine_refused:
        message = "You are not allowed to access this resource from the current IP address"
        raise Refused(403, "ForbiddenRequestError", message)
    if known.is_locked:
        message = "This identity auth method is temporarily locked, please try again later"
        raise Refused(401, "UnauthorizedError", message)
    if body["clientSecret"].strip() != known.secret:
        known.wrong_logins += 1
        known.is_locked = known.wrong_logins >= LOCKED_AFTER
        raise Refused(401, "UnauthorizedError", "Invalid credentials")
    known.wrong_logins = 0
    if known.is_secret_expired:
        message = "Access denied due to expired client secret"
        raise Refused(401, "UnauthorizedError", message)
    if known.is_secret_used_up:
        message = "Access denied due to client secret usage limit reached"
        raise Refused(401, "UnauthorizedError", message)
    token = f"ey{secrets.token_hex(16)}.{secrets.token_hex(32)}.{secrets.token_hex(16)}"
    server.tokens[token] = known
    server.given.append(token)
    return _given(token)


def _given(token: str) -> dict[str, Any]:
    times = {"expiresIn": TOKEN_SECONDS, "accessTokenMaxTTL": TOKEN_SECONDS}
    return {"accessToken": token, **times, "tokenType": "Bearer"}


def _renewed(server: "InfisicalServer", body: dict[str, Any]) -> dict[str, Any]:
    _require_texts(body, "accessToken")
    _known(server, body["accessToken"])
    return _given(body["accessToken"])


def _revoked(server: "InfisicalServer", body: dict[str, Any]) -> dict[str, Any]:
    _require_texts(body, "accessToken")
    _known(server, body["accessToken"])
    del server.tokens[body["accessToken"]]
    return {"message": "Successfully revoked access token"}


def _read(server: "InfisicalServer", seen: "Seen") -> dict[str, Any]:
    """Return a list of secrets, or one of them."""
    scheme, _, token = seen.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        raise Refused(401, "UnauthorizedError", "Token missing")
    known = _known(server, token)
    is_new = "/v4/" in seen.path
    asked = _Asked.of(seen.query, is_new=is_new)
    _require_project(server, known, asked)
    if asked.path in server.denied:
        raise Refused(403, "PermissionDenied", "You are not allowed to readValue on secrets")
    route = "/api/v4/secrets" if is_new else "/api/v3/secrets/raw"
    one = seen.path.removeprefix(route).removeprefix("/")
    return _one(server, asked, one) if one else _list(server, asked)


@dataclass(frozen=True)
class _Asked:
    project: str
    environment: str
    path: str
    is_viewed: bool
    is_expanded: bool
    is_recursive: bool
    has_imports: bool

    @classmethod
    def of(cls, query: dict[str, str], *, is_new: bool) -> "_Asked":
        project = query.get("projectId" if is_new else "workspaceId", "").strip()
        environment = query.get("environment", "").strip()
        flags = ("viewSecretValue", "expandSecretReferences", "recursive", "include_imports")
        for name in (*flags, "includeImports"):
            if query.get(name, "true") not in {"true", "false"}:
                issue = {"code": "invalid_enum_value", "path": [name]}
                raise Refused(422, "ValidationFailure", [issue])
        if not project or not environment:
            raise Refused(400, "BadRequest", "Missing project id or environment")
        path = query.get("secretPath", "/").strip()
        # What is left out is what the newest version takes for it: as much as there is.
        imports = query.get("includeImports", "true") if is_new else query.get("include_imports")
        return cls(
            project,
            environment,
            path if path == "/" else path.removesuffix("/"),
            query.get("viewSecretValue", "true") == "true",
            query.get("expandSecretReferences", "true") == "true",
            query.get("recursive", "false") == "true",
            imports == "true",
        )


def _known(server: "InfisicalServer", token: str) -> "Known":
    if token in server.tokens:
        return server.tokens[token]
    if server.gone == "TokenError":
        message = "Your token has expired. Please re-authenticate."
        raise Refused(403, "TokenError", message)
    raise Refused(401, "UnauthorizedError", "No identity access token found")


def _require_project(server: "InfisicalServer", known: "Known", asked: _Asked) -> None:
    if not any(project == asked.project for project, _, _ in server.stored):
        raise Refused(404, "NotFound", f"Project with ID '{asked.project}' not found")
    if asked.project not in known.projects:
        message = "Identity is not a member of this project"
        raise Refused(403, "ForbiddenRequestError", message)
    if not any(at[:2] == (asked.project, asked.environment) for at in server.stored):
        message = f"Environment with slug '{asked.environment}' not found"
        raise Refused(404, "NotFound", message)


def _list(server: "InfisicalServer", asked: _Asked) -> dict[str, Any]:
    below = asked.path if asked.path == "/" else f"{asked.path}/"
    found = [
        _told(asked, path, name, stored, folder)
        for (project, environment, path), folder in server.stored.items()
        if (project, environment) == (asked.project, asked.environment)
        and (path == asked.path or (asked.is_recursive and path.startswith(below)))
        for name, stored in folder.items()
    ]
    # A folder that does not exist is an empty one.
    answer: dict[str, Any] = {"secrets": found, "imports": []}
    if asked.has_imports:
        imported = {"secretPath": "/imported", "environment": asked.environment}
        secret = _told(asked, "/imported", "IMPORTED", Stored("imported"), {})
        answer["imports"].append({**imported, "folderId": "f-1", "secrets": [secret]})
    return answer


def _one(server: "InfisicalServer", asked: _Asked, name: str) -> dict[str, Any]:
    folder = server.stored.get((asked.project, asked.environment, asked.path), {})
    if name not in folder:
        raise Refused(404, "NotFound", f"Secret with name '{name}' not found")
    return {"secret": _told(asked, asked.path, name, folder[name], folder)}


def _told(
    asked: _Asked, path: str, name: str, stored: Stored, folder: dict[str, Stored]
) -> dict[str, Any]:
    """Return a secret in the form that all versions have had."""
    is_hidden = stored.is_hidden or not asked.is_viewed
    value = _expanded(stored.value, folder) if asked.is_expanded else stored.value
    id_ = f"id-{name.lower()}"
    return {
        "id": id_,
        "_id": id_,
        "workspace": asked.project,
        "environment": stored.environment or asked.environment,
        "version": stored.version,
        "type": "shared",
        "secretKey": name,
        "secretValue": MASK if is_hidden else value,
        "secretComment": "",
        "secretReminderNote": None,
        "secretReminderRepeatDays": None,
        "skipMultilineEncoding": False,
        "createdAt": _MADE_AT,
        "updatedAt": _MADE_AT,
        "isRotatedSecret": False,
        "secretValueHidden": is_hidden and stored.is_flagged,
        "secretPath": stored.path or path,
        "secretMetadata": [],
        "tags": [],
    }


def _expanded(value: str, folder: dict[str, Stored]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: folder[found[1]].value, value)


def _require_texts(body: dict[str, Any], *names: str) -> None:
    wrong = [name for name in names if not isinstance(body.get(name), str)]
    if wrong:
        issues = [{"code": "invalid_type", "expected": "string", "path": [name]} for name in wrong]
        raise Refused(422, "ValidationFailure", issues)
