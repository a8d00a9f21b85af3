"""An Infisical server that is away, slow, busy, broken or somebody else: told, and in time."""

from dataclasses import replace

import pytest

from tests.servers.infisical import (
    DRIPPED_BODY,
    DRIPPED_FAST,
    DRIPPED_HEAD,
    Fault,
    broken,
    hang,
    hang_up,
    redirected,
    refusal,
    sent,
    too_many,
)
from tests.servers.s3 import Certificate, free_port
from tests.stories.keeper import (
    LIST,
    LOGIN,
    MARGIN_SECONDS,
    QUICK,
    REVOKE,
    SECRET,
    VALUE,
    furnish,
    identity_at,
    listening,
    refused,
    within,
)
from unstoppable.domain import secret_errors as errors
from unstoppable.domain.errors import FileUnsafe
from unstoppable.secrets.infisical import resolve
from unstoppable.secrets.infisical_server import Limits


@pytest.mark.parametrize(("route", "in_header"), [("login", False), ("list", True)])
def test_a_server_is_left_alone_for_as_long_as_it_asks(keeper, known, route, in_header):
    keeper.fail(route, too_many(3, in_header=in_header))

    with within(3 + 1 + MARGIN_SECONDS, at_least=3):
        found = resolve(known, {SECRET})

    assert found[SECRET].value == VALUE
    assert len(keeper.asked()) == 4


def test_a_server_that_does_not_say_how_long_is_left_alone_for_a_little(keeper, known):
    keeper.fail("login", too_many(0, is_told=False))

    with within(3 + MARGIN_SECONDS, at_least=2):
        assert resolve(known, {SECRET})[SECRET].value == VALUE


def test_who_would_have_to_wait_too_long_is_told_at_once(keeper, known):
    keeper.fail("list", too_many(37))

    with within(MARGIN_SECONDS):
        error = refused(known)

    assert isinstance(error, errors.InfisicalBusy)
    assert str(error) == (
        f"the Infisical server {keeper.address} is asked too often: acme would have to wait for "
        "37 s more"
    )
    assert keeper.asked() == [LOGIN, LIST, REVOKE]


def test_being_sent_away_again_and_again_ends(keeper, known):
    keeper.fail("list", too_many(0), times=500)

    with within(QUICK.total_seconds + MARGIN_SECONDS):
        error = refused(known)

    assert isinstance(error, errors.InfisicalBusy)
    assert 2 <= keeper.asked().count(LIST) <= 21


@pytest.mark.parametrize("route", ["login", "list"])
@pytest.mark.parametrize("fault", [broken(), broken(504), hang_up])
def test_a_fault_that_passes_is_ridden_out(keeper, known, route, fault):
    keeper.fail(route, fault, times=2)

    assert resolve(known, {SECRET})[SECRET].value == VALUE
    assert len(keeper.asked()) == 5


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (broken(503), errors.InfisicalBroken, "has a fault: it answered 503"),
        (hang_up, errors.InfisicalUnreachable, "cannot be reached: "),
        (sent(b'{"secrets"', length=900), errors.InfisicalUnreachable, "cannot be reached: "),
    ],
)
def test_a_fault_that_stays_is_told_after_four_attempts(keeper, known, fault, kind, told):
    keeper.fail("list", fault, times=9)

    error = refused(known, replace(QUICK, total_seconds=20))

    assert isinstance(error, kind)
    assert isinstance(error, errors.InfisicalAway)
    assert told in str(error)
    assert keeper.asked() == [LOGIN, *[LIST] * 4, REVOKE]


def test_a_server_that_is_down_is_told_with_the_systems_words(known):
    down = replace(known, server=f"https://127.0.0.1:{free_port()}")

    with within(QUICK.total_seconds + MARGIN_SECONDS):
        error = refused(down)

    assert isinstance(error, errors.InfisicalUnreachable)
    assert str(error) == (
        f"the Infisical server {down.server} of acme cannot be reached: Connection refused"
    )
    assert not error.is_permanent


def test_a_name_that_leads_nowhere_is_told(known):
    error = refused(replace(known, server="https://no-such-server.invalid"))

    assert isinstance(error, errors.InfisicalUnreachable)


@pytest.mark.parametrize("route", ["login", "list"])
@pytest.mark.parametrize("read_seconds", [QUICK.read_seconds, 30])
def test_a_server_that_does_not_answer_is_given_up(keeper, known, route, read_seconds):
    keeper.fail(route, hang, times=9)

    with within(QUICK.total_seconds + MARGIN_SECONDS, at_least=QUICK.read_seconds):
        error = refused(known, replace(QUICK, read_seconds=read_seconds))

    assert isinstance(error, errors.InfisicalSlow)
    assert isinstance(error, errors.InfisicalAway)


@pytest.mark.parametrize("route", ["login", "list"])
@pytest.mark.parametrize("fault", [DRIPPED_HEAD, DRIPPED_BODY, DRIPPED_FAST])
def test_a_server_that_drips_is_given_up_at_the_end_of_all_time(keeper, known, route, fault):
    keeper.fail(route, fault, times=9)

    total = QUICK.total_seconds
    with within(total + MARGIN_SECONDS, at_least=total - 0.1):
        error = refused(known)

    assert isinstance(error, errors.InfisicalSlow)
    assert "no answer within 2 s" in str(error)


def test_a_server_that_drips_without_tls_is_given_up_as_well(start_infisical):
    plain = furnish(start_infisical(None))
    plain.fail("list", DRIPPED_HEAD, times=9)

    with within(QUICK.total_seconds + MARGIN_SECONDS):
        error = refused(identity_at(plain))

    assert isinstance(error, errors.InfisicalSlow)


@pytest.mark.parametrize(
    ("attempts", "kind", "told"),
    [
        (1, errors.InfisicalUnreachable, "no connection within 1 s"),
        (9, errors.InfisicalSlow, "no answer within 2 s"),
    ],
)
def test_a_handshake_that_never_ends_is_given_up(known, attempts, kind, told):
    with listening() as silent, within(QUICK.total_seconds + MARGIN_SECONDS):
        silent_one = replace(known, server=f"https://127.0.0.1:{silent.port}")
        error = refused(silent_one, replace(QUICK, attempts=attempts))

    assert isinstance(error, kind)
    assert told in str(error)


@pytest.mark.parametrize("fault", [broken(), sent(b"no JSON"), redirected("/")])
def test_a_token_that_cannot_be_taken_back_is_no_failure(keeper, known, fault):
    keeper.fail("revoke", fault)

    assert resolve(known, {SECRET})[SECRET].value == VALUE
    assert keeper.asked() == [LOGIN, LIST, REVOKE]


def test_a_connection_that_was_closed_meanwhile_does_not_keep_a_token_alive(keeper, known):
    keeper.fail("revoke", hang_up)

    resolve(known, {SECRET})

    assert keeper.asked() == [LOGIN, LIST, REVOKE, REVOKE]
    assert keeper.tokens == {}


def test_a_server_that_went_away_meanwhile_is_no_failure(keeper, known):
    keeper.fail("revoke", hang_up, times=9)

    assert resolve(known, {SECRET})[SECRET].value == VALUE
    assert keeper.asked() == [LOGIN, LIST, REVOKE, REVOKE]


@pytest.mark.parametrize("fault", [hang, DRIPPED_BODY])
def test_taking_back_a_token_takes_its_own_little_time(keeper, known, fault):
    keeper.fail("revoke", fault)

    with within(QUICK.revoke_seconds + MARGIN_SECONDS, at_least=QUICK.revoke_seconds - 0.1):
        found = resolve(known, {SECRET}, replace(QUICK, read_seconds=30))

    assert found[SECRET].value == VALUE


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({}, "unable to get local issuer certificate"),
        ({"names": "DNS:elsewhere.example"}, "mismatch"),
        ({"made": "-5 days"}, "certificate has expired"),
        ({"is_signed": False}, "self-signed certificate"),
    ],
)
def test_a_server_that_is_not_trusted_gets_nothing(start_infisical, tmp_path, shown, told):
    certificate = Certificate.make(tmp_path, **shown)
    stranger = furnish(start_infisical(certificate))
    ca_file = None if not shown else str(certificate.authority)

    with within(MARGIN_SECONDS):
        error = refused(identity_at(stranger, ca_file=ca_file))

    assert isinstance(error, errors.InfisicalUntrusted)
    assert told in str(error)
    assert stranger.asked() == []


def test_a_ca_file_stands_in_place_of_what_the_system_trusts(known, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(known.ca_file))
    another = Certificate.make(tmp_path).authority

    error = refused(replace(known, ca_file=str(another)))

    assert isinstance(error, errors.InfisicalUntrusted)
    assert resolve(replace(known, ca_file=None), {SECRET})[SECRET].value == VALUE


@pytest.mark.parametrize("content", [None, b"", b"no certificate\n", b"\xff\xfe"])
def test_a_ca_file_without_certificates_trusts_nobody(keeper, known, tmp_path, content):
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)

    error = refused(replace(known, ca_file=str(ca_file)))

    assert isinstance(error, errors.InfisicalCaUnreadable)
    assert f"{ca_file} cannot be used to trust the Infisical server of acme: " in str(error)
    assert keeper.asked() == []


def test_a_ca_file_that_others_may_write_is_refused(keeper, known, tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(keeper.certificate.authority.read_bytes())
    ca_file.chmod(0o666)

    assert isinstance(refused(replace(known, ca_file=str(ca_file))), FileUnsafe)


def test_a_redirection_is_not_followed(keeper, known, start_infisical, infisical_certificate):
    mallory = furnish(start_infisical(infisical_certificate))
    keeper.fail("login", redirected(f"{mallory.address}/api/v1/auth/universal-auth/login"))

    error = refused(known)

    assert isinstance(error, errors.InfisicalElsewhere)
    assert keeper.asked() == [LOGIN]
    assert mallory.asked() == []


ODD: list[tuple[str, Fault, str]] = [
    ("list", sent(b'{"secrets": [{"secretKey": "S3_SEC'), "its answer is no JSON"),
    ("list", sent(b"<html>welcome</html>"), "its answer is no JSON"),
    ("list", sent(b"\xff\xfe"), "its answer is no JSON"),
    ("list", sent(b"[" * 200_000), "its answer is no JSON"),
    ("list", sent(b"[]"), "its answer holds no list of secrets"),
    ("list", sent(b'{"secrets": [{"secretKey": "S3_SECRET"}]}'), "has no secretValue"),
    ("list", sent(b" " * (4 << 20) + b" "), "its answer is longer than 4.0 MiB"),
    ("list", sent(b"", status=204), "it answered 204 when asked for secrets"),
    ("list", sent(b"{}", headers={"Content-Encoding": "gzip"}), "it compresses an answer"),
    ("login", sent(b"{}"), "its answer to the login holds no token"),
    ("login", sent(b'{"accessToken": "a\\r\\nX: y"}'), "its answer to the login holds no token"),
    ("login", refusal(404, "Not Found", "Route not found"), "it answered 404 to the login"),
]


@pytest.mark.parametrize(("route", "fault", "reason"), ODD)
def test_an_answer_that_is_not_understood_is_not_guessed_at(keeper, known, route, fault, reason):
    keeper.fail(route, fault, times=9)

    error = refused(known, Limits())

    assert isinstance(error, errors.InfisicalMisunderstood)
    assert isinstance(error, errors.InfisicalAway)
    assert reason in str(error)
    assert keeper.asked() == ([LOGIN] if route == "login" else [LOGIN, LIST, REVOKE])
