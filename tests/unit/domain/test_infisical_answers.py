"""What a server's answers mean; in the stories they come over the network."""

from typing import Any

import pytest

from unstoppable.domain import secret_errors as errors
from unstoppable.domain.infisical import ClientSecret, Identity, InfisicalReference
from unstoppable.domain.infisical_answers import (
    MASK,
    Answer,
    choose,
    entries,
    list_refused,
    login_refused,
    new_token,
)
from unstoppable.secrets.reference import Literal

REFERENCE = InfisicalReference("/acme", "KEY")
ACME = Identity(
    customer="acme",
    server="https://infisical.example",
    project_id="p-1",
    environment="prod",
    client_id="c-1",
    client_secret=ClientSecret(name="UNSTOPPABLE_X", secret=Literal("of no matter")),
)


def entry(**differently: object) -> dict[str, Any]:
    return {
        "secretKey": "KEY",
        "secretValue": "s3cret",
        "secretPath": "/acme",
        "environment": "prod",
        "workspace": "p-1",
        "version": 3,
        "secretValueHidden": False,
    } | differently


def listed(*found: object) -> Answer:
    return Answer(status=200, content={"secrets": list(found)})


def chosen(*found: object) -> object:
    return choose(entries(listed(*found)), REFERENCE, ACME)


def refused(status: int, error: str = "", message: object = "") -> Answer:
    return Answer(status=status, content={"error": error, "message": message})


def test_a_value_comes_with_its_version():
    found = choose(entries(listed(entry(secretKey="OTHER"), entry())), REFERENCE, ACME)

    assert (found.value, found.version) == ("s3cret", 3)


@pytest.mark.parametrize(
    ("value", "taken"),
    [("a\n", "a"), ("-----\na\n-----\n", "-----\na\n-----"), ("${OTHER}", "${OTHER}"), ("ä", "ä")],
)
def test_one_line_break_at_the_end_is_not_part_of_a_value(value, taken):
    assert choose(entries(listed(entry(secretValue=value))), REFERENCE, ACME).value == taken


@pytest.mark.parametrize(
    ("found", "kind", "told"),
    [
        ([], errors.PathMissing, "/acme in prod holds nothing"),
        ([entry(secretKey="KEYS")], errors.SecretMissing, "is not there in prod"),
        ([entry(secretKey="key")], errors.SecretMissing, "is not there in prod"),
        ([entry(secretValue=MASK)], errors.ValueHidden, "hidden from the identity of acme"),
        ([entry(secretValueHidden=True)], errors.ValueHidden, "hidden"),
        ([entry(secretValueHidden="yes")], errors.ValueHidden, "hidden"),
        ([entry(secretValue="")], errors.ValueEmpty, "is empty"),
        ([entry(secretValue=" \n")], errors.ValueEmpty, "is empty"),
        ([entry(secretPath="/bob")], errors.ValueElsewhere, "elsewhere: path /bob"),
        ([entry(secretPath="/acme/")], errors.ValueElsewhere, "elsewhere: path /acme/"),
        ([entry(environment="dev")], errors.ValueElsewhere, "elsewhere: environment dev"),
        ([entry(workspace="p-2")], errors.ValueElsewhere, "elsewhere: project p-2"),
        ([entry(), entry(secretValue="other")], errors.ValueElsewhere, "elsewhere: 2 times"),
        ([entry(), entry(secretPath="/bob")], errors.ValueElsewhere, "elsewhere: path /bob"),
    ],
)
def test_what_is_not_the_secret_asked_for_is_refused(found, kind, told):
    with pytest.raises(kind, match=told) as raised:
        chosen(*found)

    assert "infisical:/acme/KEY" in str(raised.value)
    assert "s3cret" not in str(raised.value) + raised.value.hint
    assert isinstance(raised.value, errors.ReferenceUnusable)


def test_a_missing_secret_is_told_with_the_nearest_name():
    with pytest.raises(errors.SecretMissing) as raised:
        chosen(entry(secretKey="ZZZ"), entry(secretKey="KEY_ID"), entry(secretKey="DATABASE"))

    assert raised.value.hint.startswith("did you mean infisical:/acme/KEY_ID? ")


def test_a_name_that_a_terminal_would_obey_is_shown_and_short():
    with pytest.raises(errors.SecretMissing) as raised:
        chosen(entry(secretKey="\x1b[2J" + "K" * 500))

    assert r"\x1b[2J" in raised.value.hint
    assert len(raised.value.hint) < 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no list of secrets"),
        ([], "no list of secrets"),
        ({"secrets": {}}, "no list of secrets"),
        ({"secrets": ["s3cret"]}, "no object"),
        ({"secrets": [{}]}, "no secretKey"),
        ({"secrets": [entry(secretValue=None)]}, "no secretValue"),
        ({"secrets": [entry(secretValue=7)]}, "no secretValue"),
        ({"secrets": [entry(secretPath=None)]}, "no secretPath"),
        ({"secrets": [entry(environment=None)]}, "no environment"),
        ({"secrets": [entry(workspace=None)]}, "no workspace"),
        ({"secrets": [entry(version="3")]}, "no version"),
        ({"secrets": [entry(version=True)]}, "no version"),
        ({"secrets": [entry(version=0)]}, "no version"),
    ],
)
def test_a_list_that_is_none_is_not_guessed_at(content, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        entries(Answer(status=200, content=content))

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "content", [None, [], {}, {"accessToken": ""}, {"accessToken": 7}, {"accessToken": "a\r\nb: c"}]
)
def test_a_login_without_a_token_is_none(content):
    with pytest.raises(ValueError, match="holds no token"):
        new_token(Answer(status=200, content=content))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(401, "UnauthorizedError", "Invalid credentials"), errors.ClientSecretWrong),
        (refused(401), errors.ClientSecretWrong),
        (refused(422, "ValidationFailure", [{"path": ["clientId"]}]), errors.ClientSecretWrong),
        (
            refused(401, "UnauthorizedError", "… is temporarily locked, please try again later"),
            errors.IdentityLocked,
        ),
        (refused(401, "", "Access denied due to expired client secret"), errors.ClientSecretSpent),
        (
            refused(401, "", "Access denied due to client secret usage limit reached"),
            errors.ClientSecretSpent,
        ),
        (refused(403, "ForbiddenRequestError", "x"), errors.MachineRefused),
        (refused(401, "", "not allowed from the current IP address"), errors.MachineRefused),
    ],
)
def test_why_an_identity_may_not_log_in(answer, kind):
    error = login_refused(answer, ACME)

    assert type(error) is kind
    assert isinstance(error, errors.IdentityRefused)
    assert "acme" in str(error)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(401), errors.TokenRefused),
        (refused(403, "TokenError", "jwt malformed"), errors.TokenRefused),
        (refused(403, "PermissionDenied", "You are not allowed"), errors.PermissionMissing),
        (refused(404, "NotFound", "Project with ID 'p-1' not found"), errors.ProjectUnknown),
        (refused(400, "BadRequest", "x"), errors.ProjectUnknown),
        (refused(422, "ValidationFailure", []), errors.ProjectUnknown),
    ],
)
def test_why_an_identity_may_not_list(answer, kind):
    error = list_refused(answer, ACME, "/acme")

    assert type(error) is kind
    assert isinstance(error, errors.IdentityRefused)


@pytest.mark.parametrize("answer", [refused(404, "Not Found"), Answer(status=204, content=None)])
def test_a_server_that_is_none_is_away_for_everybody(answer):
    for error in (login_refused(answer, ACME), list_refused(answer, ACME, "/acme")):
        assert isinstance(error, errors.InfisicalMisunderstood)
        assert isinstance(error, errors.InfisicalAway)


@pytest.mark.parametrize(
    ("content", "retry_after", "seconds"),
    [
        ({"message": "Rate limit exceeded. Please try again in 37 seconds"}, None, 37),
        ({"message": "Please try again in 1 second"}, None, 1),
        ({"message": "slower"}, "12", 12),
        ({"message": "Please try again in 5 seconds"}, " 9 ", 9),
        ({"message": "Please try again in 9 seconds"}, "5", 9),
        (None, "7", 7),
        ({"message": "Failed to acquire lock: rate limit exceeded"}, None, None),
        ({"message": ["try again in 5 seconds"]}, None, None),
        ({"message": "slower"}, "Fri, 27 Nov 2026 02:00:00 GMT", None),
        ({"message": "slower"}, "-5", None),
        ({"message": "try again in 99999999999 seconds"}, None, None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(content, retry_after, seconds):
    answer = Answer(status=429, content=content, retry_after=retry_after)

    assert answer.seconds_asked == seconds


@pytest.mark.parametrize(
    ("answer", "is_missing"),
    [
        (refused(404, "Not Found", "Route GET:/api/v4/secrets not found"), True),
        (Answer(status=404, content=None), True),
        (refused(404, "NotFound", "Project with ID 'p-1' not found"), False),
        (refused(403, "PermissionDenied"), False),
    ],
)
def test_a_route_that_is_missing_is_told_from_what_it_does_not_find(answer, is_missing):
    assert answer.is_route_missing is is_missing


def test_no_answer_shows_what_it_holds():
    answer = listed(entry())

    assert "s3cret" not in repr(answer) + repr(entries(answer))
