"""Secrets from an Infisical server: a real client, TLS and sockets, against the stand-in."""

from dataclasses import replace

import pytest

from tests.servers.infisical import ENVIRONMENT, PROJECT, then
from tests.servers.infisical_routes import Stored
from tests.stories.keeper import (
    CLIENT_SECRET,
    KEY_ID,
    LIST,
    LOGIN,
    OLD_LIST,
    REVOKE,
    SECRET,
    VALUE,
    furnish,
    identity_at,
    refused,
)
from unstoppable.domain import secret_errors as errors
from unstoppable.domain.infisical import ClientSecret, InfisicalReference
from unstoppable.secrets.infisical import look, resolve
from unstoppable.secrets.reference import Literal

# --- as it should be ------------------------------------------------------------------------------


def test_secrets_come_with_one_login_one_list_and_the_token_is_taken_back(keeper, known):
    keeper.put("/acme", S3_SECRET=VALUE)  # a second version

    found = resolve(known, {KEY_ID, SECRET})

    assert {str(reference): (one.value, one.version) for reference, one in found.items()} == {
        "infisical:/acme/S3_KEY_ID": ("acme-key-id", 1),
        "infisical:/acme/S3_SECRET": (VALUE, 2),
    }
    assert keeper.asked() == [LOGIN, LIST, REVOKE]
    assert keeper.tokens == {}
    assert CLIENT_SECRET not in repr(known)


def test_the_list_is_asked_for_as_it_is_and_of_one_folder(keeper, known):
    resolve(known, {SECRET})

    asked = keeper.seen[1]
    assert asked.query == {
        "projectId": PROJECT,
        "environment": ENVIRONMENT,
        "secretPath": "/acme",
        "viewSecretValue": "true",
        "expandSecretReferences": "false",
        "recursive": "false",
        "includeImports": "false",
        "include_imports": "false",
    }
    assert asked.headers["Accept-Encoding"] == "identity"


def test_each_folder_is_listed_once_whatever_is_wanted_of_it(keeper, known):
    keeper.put("/", TOP="top")
    keeper.put("/two words/gr\u00fcn & a=b?c", DEEP="deep")
    texts = ("/TOP", "/two words/gr\u00fcn & a=b?c/DEEP", "/acme/S3_KEY_ID", "/acme/S3_SECRET")
    wanted = [InfisicalReference.parse(f"infisical:{text}") for text in texts]

    found = resolve(known, wanted + wanted)

    assert [found[one].value for one in wanted] == ["top", "deep", "acme-key-id", VALUE]
    assert keeper.asked() == [LOGIN, LIST, LIST, LIST, REVOKE]


def test_nothing_is_asked_where_nothing_is_wanted(keeper, known):
    assert resolve(known, set()) == {}
    assert keeper.asked() == []


def test_an_older_server_is_asked_as_it_wants_to_be(keeper, known):
    keeper.has_v4 = False
    keeper.put("/", TOP="top")

    found = resolve(known, {SECRET, InfisicalReference("/", "TOP")})

    assert found[SECRET].value == VALUE
    assert keeper.asked() == [LOGIN, LIST, OLD_LIST, OLD_LIST, REVOKE]
    assert keeper.seen[2].query["workspaceId"] == PROJECT


def test_a_value_is_taken_as_it_stands_there(keeper, known):
    keeper.put("/acme", S3_KEY_ID="${S3_SECRET}", S3_SECRET="-----BEGIN\nabc\n-----END\n")

    found = resolve(known, {KEY_ID, SECRET})

    assert found[KEY_ID].value == "${S3_SECRET}"
    assert found[SECRET].value == "-----BEGIN\nabc\n-----END"


def test_customers_at_one_server_get_their_own(keeper, known):
    keeper.identity("client-of-bob", "bob's", project="project-of-bob")
    keeper.put("/acme", project="project-of-bob", S3_KEY_ID="bob-key-id", S3_SECRET="bob's")
    bob = identity_at(
        keeper,
        customer="bob",
        project_id="project-of-bob",
        client_id="client-of-bob",
        client_secret=ClientSecret(name="X", secret=Literal("bob's")),
    )

    assert resolve(known, {KEY_ID})[KEY_ID].value == "acme-key-id"
    assert resolve(bob, {KEY_ID})[KEY_ID].value == "bob-key-id"
    assert resolve(known, {KEY_ID})[KEY_ID].value == "acme-key-id"


def test_without_tls_a_server_is_asked_on_this_machine_alone(start_infisical):
    plain = furnish(start_infisical(None))
    assert resolve(identity_at(plain), {SECRET})[SECRET].value == VALUE


# --- one identity ---------------------------------------------------------------------------------


def test_a_wrong_client_secret_is_sent_once(keeper, known):
    keeper.identities["client-of-acme"].secret = "another"

    error = refused(known)

    assert isinstance(error, errors.ClientSecretWrong)
    assert str(error) == (
        f"{keeper.address} does not know client-of-acme of acme with this UNSTOPPABLE_X"
    )
    assert keeper.asked() == [LOGIN]


def test_an_identity_that_somebody_locked_out_is_told_from_a_server_that_is_away(keeper, known):
    mallory = replace(known, client_secret=ClientSecret(name="X", secret=Literal("a guess")))
    for _ in range(3):
        refused(mallory)

    error = refused(known)

    assert isinstance(error, errors.IdentityLocked)
    assert str(error) == f"the identity client-of-acme of acme is locked out at {keeper.address}"
    assert not isinstance(error, errors.InfisicalAway)
    assert not error.is_permanent


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("is_secret_expired", errors.ClientSecretSpent),
        ("is_secret_used_up", errors.ClientSecretSpent),
        ("is_machine_refused", errors.MachineRefused),
    ],
)
def test_a_login_that_is_refused_for_another_reason_is_told_with_it(keeper, known, name, kind):
    setattr(keeper.identities["client-of-acme"], name, True)

    assert type(refused(known)) is kind
    assert keeper.asked() == [LOGIN]


def test_an_identity_without_the_right_is_told_with_the_path(keeper, known):
    keeper.denied.add("/acme")

    error = refused(known)

    assert isinstance(error, errors.PermissionMissing)
    assert str(error) == (
        f"the identity client-of-acme of acme may not read /acme in prod of project {PROJECT}"
    )
    assert keeper.asked() == [LOGIN, LIST, REVOKE]


@pytest.mark.parametrize(
    ("differently", "kind"),
    [
        ({"project_id": "no-such-project"}, errors.ProjectUnknown),
        ({"environment": "dev"}, errors.ProjectUnknown),
        ({"project_id": "project-of-bob"}, errors.PermissionMissing),
    ],
)
def test_a_project_that_is_not_the_identitys_is_told(keeper, known, differently, kind):
    keeper.identity("client-of-bob", "bob's", project="project-of-bob")

    error = refused(replace(known, **differently))

    assert type(error) is kind
    assert isinstance(error, errors.IdentityRefused)
    assert keeper.asked() == [LOGIN, LIST, REVOKE]


@pytest.mark.parametrize("gone", ["401", "TokenError"])
def test_a_token_that_expired_is_replaced_once(keeper, known, gone):
    keeper.gone = gone
    keeper.fail("list", then(keeper.end_tokens))

    assert resolve(known, {SECRET})[SECRET].value == VALUE
    assert keeper.asked() == [LOGIN, LIST, LOGIN, LIST, REVOKE]
    assert keeper.tokens == {}


@pytest.mark.parametrize("gone", ["401", "TokenError"])
def test_a_token_that_is_never_taken_is_not_replaced_for_ever(keeper, known, gone):
    keeper.gone = gone
    keeper.fail("list", then(keeper.end_tokens), times=9)

    error = refused(known)

    assert isinstance(error, errors.TokenRefused)
    assert keeper.asked() == [LOGIN, LIST, LOGIN, LIST, REVOKE]


# --- one reference --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (Stored(VALUE, is_hidden=True), errors.ValueHidden),
        (Stored(VALUE, is_hidden=True, is_flagged=False), errors.ValueHidden),
        (Stored(""), errors.ValueEmpty),
        (Stored("\n"), errors.ValueEmpty),
        (Stored(VALUE, path="/bob"), errors.ValueElsewhere),
        (Stored(VALUE, environment="dev"), errors.ValueElsewhere),
    ],
)
def test_a_value_that_is_none_is_refused(keeper, known, stored, kind):
    keeper.folder("/acme")["S3_SECRET"] = stored

    error = refused(known)

    assert type(error) is kind
    assert "infisical:/acme/S3_SECRET" in str(error)
    assert keeper.asked() == [LOGIN, LIST, REVOKE]


def test_a_name_that_is_not_there_is_told_with_the_nearest(keeper, known):
    del keeper.folder("/acme")["S3_SECRET"]

    error = refused(known)

    assert str(error) == "infisical:/acme/S3_SECRET of acme is not there in prod"
    assert "did you mean infisical:/acme/S3_KEY_ID?" in error.hint


def test_a_folder_that_is_not_there_is_told(keeper, known):
    del keeper.stored[PROJECT, ENVIRONMENT, "/acme"]

    error = refused(known)

    assert isinstance(error, errors.PathMissing)
    assert "/acme in prod holds nothing" in str(error)


def test_each_reference_can_be_looked_at_for_itself(keeper, known):
    keeper.folder("/acme")["S3_SECRET"] = Stored("")
    keeper.denied.add("/secret")
    forbidden, missing = InfisicalReference("/secret", "A"), InfisicalReference("/none", "A")

    found = look(known, [forbidden, SECRET, KEY_ID, missing])

    assert [(str(one), type(result).__name__) for one, result in found.items()] == [
        ("infisical:/acme/S3_KEY_ID", "Resolved"),
        ("infisical:/acme/S3_SECRET", "ValueEmpty"),
        ("infisical:/none/A", "PathMissing"),
        ("infisical:/secret/A", "PermissionMissing"),
    ]
    assert keeper.asked() == [LOGIN, LIST, LIST, LIST, REVOKE]
