"""The official client takes the stand-in for an Infisical server."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

from tests.servers.infisical import ENVIRONMENT, PROJECT, InfisicalServer, too_many
from tests.servers.infisical_routes import MASK, Stored
from tests.stories.keeper import CLIENT_SECRET, VALUE

PLACE = {"environment_slug": ENVIRONMENT, "secret_path": "/acme", "project_id": PROJECT}


@pytest.fixture
def official(keeper: InfisicalServer) -> Iterator[InfisicalSDKClient]:
    """The official client, not logged in, without its cache, which mixes up projects."""
    assert keeper.certificate is not None
    with InfisicalSDKClient(host=keeper.address, cache_ttl=None) as client:
        client.api.session.verify = str(keeper.certificate.authority)
        client.api.session.trust_env = False
        yield client
        client.api.session.close()


def log_in(client: InfisicalSDKClient, secret: str = CLIENT_SECRET) -> Any:
    return client.auth.universal_auth.login("client-of-acme", secret)


def test_the_official_client_logs_in_and_lists(keeper, official):
    keeper.put("/acme", S3_SECRET=VALUE)

    login = log_in(official)
    listed = official.secrets.list_secrets(**PLACE, expand_secret_references=False)

    assert (login.tokenType, login.expiresIn) == ("Bearer", 2_592_000)
    told = {one.secretKey: (one.secretValue, one.version) for one in listed.secrets}
    assert told == {"S3_KEY_ID": ("acme-key-id", 1), "S3_SECRET": (VALUE, 2)}
    assert {(one.workspace, one.environment, one.secretPath) for one in listed.secrets} == {
        (PROJECT, ENVIRONMENT, "/acme")
    }
    assert [one.secretPath for one in listed.imports] == ["/imported"]
    assert keeper.asked()[-1] == "GET /api/v3/secrets/raw"


def test_the_official_client_gets_one_secret(keeper, official):
    keeper.put("/acme", S3_KEY_ID="${S3_SECRET}")
    log_in(official)

    expanded = official.secrets.get_secret_by_name("S3_KEY_ID", **PLACE)
    plain = official.secrets.get_secret_by_name(
        "S3_KEY_ID", **PLACE, expand_secret_references=False
    )
    unseen = official.secrets.get_secret_by_name("S3_KEY_ID", **PLACE, view_secret_value=False)

    assert (expanded.secretValue, plain.secretValue) == (VALUE, "${S3_SECRET}")
    assert (unseen.secretValue, unseen.secretValueHidden) == (MASK, True)


def test_the_official_client_takes_a_hidden_value_for_one(keeper, official):
    keeper.folder("/acme")["S3_SECRET"] = Stored(VALUE, is_hidden=True)
    log_in(official)

    assert official.secrets.get_secret_by_name("S3_SECRET", **PLACE).secretValue == MASK


def test_the_official_client_understands_what_is_refused(keeper, official):
    with pytest.raises(APIError, match=r"Invalid credentials \(Status: 401\)"):
        log_in(official, "wrong")
    log_in(official)
    with pytest.raises(APIError, match=r"Secret with name 'NONE' not found \(Status: 404\)"):
        official.secrets.get_secret_by_name("NONE", **PLACE)
    with pytest.raises(APIError, match=r"Project with ID 'x' not found \(Status: 404\)"):
        official.secrets.list_secrets(ENVIRONMENT, "/acme", project_id="x")
    keeper.denied.add("/acme")
    with pytest.raises(APIError, match=r"You are not allowed .* \(Status: 403\)"):
        official.secrets.list_secrets(**PLACE)
    keeper.fail("list", too_many(7))
    with pytest.raises(APIError, match=r"try again in 7 seconds \(Status: 429\)"):
        official.secrets.list_secrets(**PLACE)
    keeper.end_tokens()
    keeper.gone = "TokenError"
    with pytest.raises(APIError, match=r"token has expired.* \(Status: 403\)") as refused:
        official.secrets.list_secrets(**PLACE)

    assert set(refused.value.response) == {"reqId", "statusCode", "message", "error"}
    assert refused.value.response["error"] == "TokenError"


def test_three_wrong_secrets_lock_an_identity_out(official):
    for _ in range(3):
        with pytest.raises(APIError, match="Invalid credentials"):
            log_in(official, "wrong")

    with pytest.raises(APIError, match="temporarily locked"):
        log_in(official)


# --- what a client that does it right never meets -------------------------------------------------


def asked(server: InfisicalServer, path: str, **request: Any) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    asking = urllib.request.Request(f"{server.address}{path}", **request)  # noqa: S310
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with straight.open(asking) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def plain(start_infisical) -> InfisicalServer:
    """A server without TLS, so that any client will do."""
    server: InfisicalServer = start_infisical(None)
    server.identity("client-of-acme", CLIENT_SECRET)
    return server


@pytest.fixture
def bearer(plain: InfisicalServer) -> dict[str, str]:
    body = {"clientId": "client-of-acme", "clientSecret": CLIENT_SECRET}
    _, login = posted(plain, "/api/v1/auth/universal-auth/login", body)
    return {"Authorization": f"Bearer {login['accessToken']}"}


def posted(server: InfisicalServer, path: str, body: object) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    return asked(server, path, data=json.dumps(body).encode(), headers=headers)


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("", 400, "BadRequest"),
        (f"?projectId={PROJECT}", 400, "BadRequest"),
        (f"?workspaceId={PROJECT}&environment=prod", 400, "BadRequest"),
        (f"?projectId={PROJECT}&environment=prod&recursive=yes", 422, "ValidationFailure"),
        (f"?projectId={PROJECT}&environment=dev", 404, "NotFound"),
        ("?projectId=x&environment=prod", 404, "NotFound"),
    ],
)
def test_a_list_wants_its_parameters(plain, bearer, query, status, error):
    code, told = asked(plain, f"/api/v4/secrets{query}", headers=bearer)

    assert (code, told["error"], told["statusCode"]) == (status, error, status)


def test_a_token_is_wanted_and_a_folder_that_does_not_exist_is_empty(plain, bearer):
    path = f"/api/v4/secrets?projectId={PROJECT}&environment=prod&secretPath=/none"
    nothing: dict[str, list[object]] = {"secrets": [], "imports": []}

    assert asked(plain, path)[0] == 401
    assert asked(plain, path, headers={"Authorization": "Bearer x"})[0] == 401
    assert asked(plain, f"{path}&includeImports=false", headers=bearer) == (200, nothing)


def test_a_token_is_renewed_and_taken_back(plain, bearer):
    token = {"accessToken": bearer["Authorization"].removeprefix("Bearer ")}

    assert posted(plain, "/api/v1/auth/token/renew", token)[1]["accessToken"] in plain.tokens
    assert posted(plain, "/api/v1/auth/token/revoke", token)[0] == 200
    assert posted(plain, "/api/v1/auth/token/revoke", token)[0] == 401
    assert posted(plain, "/api/v1/auth/token/revoke", {})[0] == 422
    assert plain.tokens == {}


def test_what_is_no_route_and_no_json_is_refused(plain, bearer):
    plain.has_v4 = False

    code, told = asked(plain, "/api/v4/secrets?projectId=x", headers=bearer)
    assert (code, told["error"], told["message"]) == (
        404,
        "Not Found",
        "Route GET:/api/v4/secrets not found",
    )
    login = "/api/v1/auth/universal-auth/login"
    assert asked(plain, login, data=b"{", headers={"Content-Type": "application/json"})[0] == 400
    assert asked(plain, login, data=b"a=b")[0] == 415
    assert asked(plain, "/api/v1/auth/nothing", headers=bearer)[0] == 404
