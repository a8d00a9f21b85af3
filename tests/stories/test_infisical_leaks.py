"""What a client of an Infisical server must not take, and must not let out."""

import logging
from collections.abc import Callable

import pytest

from tests.servers.infisical import InfisicalServer, refusal, sent, then
from tests.servers.infisical_routes import Stored
from tests.stories.keeper import CLIENT_SECRET, KEY_ID, QUICK, SECRET, VALUE, listening
from unstoppable.domain import secret_errors as errors
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.infisical import Identity
from unstoppable.secrets.infisical import resolve


def test_no_proxy_and_no_netrc_of_the_environment_is_used(keeper, known, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password mallory\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with listening() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert resolve(known, {SECRET})[SECRET].value == VALUE

        assert proxy.connections == []
    login, listed, revoked = keeper.seen
    assert "Authorization" not in login.headers | revoked.headers
    assert listed.headers["Authorization"].startswith("Bearer ey")
    assert not (tmp_path / "keys").exists()


def in_order(keeper: InfisicalServer) -> None:
    """Everything goes well."""


def expired(keeper: InfisicalServer) -> None:
    keeper.fail("list", then(keeper.end_tokens))


def cut(keeper: InfisicalServer) -> None:
    keeper.fail("list", sent(b'{"secrets": [{"secretValue": "' + VALUE.encode()), times=9)


def odd(keeper: InfisicalServer) -> None:
    content = b'{"secrets": [{"secretValue": "' + VALUE.encode() + b'"}]}'
    keeper.fail("list", sent(content), times=9)


def hidden(keeper: InfisicalServer) -> None:
    keeper.folder("/acme")["S3_KEY_ID"] = Stored("x", is_hidden=True)


def talkative(keeper: InfisicalServer) -> None:
    told = f"{CLIENT_SECRET} {VALUE}"
    keeper.fail("login", refusal(401, told, f"Invalid credentials: {told}"))


@pytest.mark.parametrize(
    ("furnished", "kind"),
    [
        (in_order, None),
        (expired, None),
        (cut, errors.InfisicalMisunderstood),
        (odd, errors.InfisicalMisunderstood),
        (hidden, errors.ValueHidden),
        (talkative, errors.ClientSecretWrong),
    ],
)
def test_no_secret_and_no_token_gets_into_a_log_or_an_error(
    keeper: InfisicalServer,
    known: Identity,
    caplog: pytest.LogCaptureFixture,
    furnished: Callable[[InfisicalServer], None],
    kind: type[UnstoppableError] | None,
) -> None:
    furnished(keeper)
    told, raised = "", None

    with caplog.at_level(logging.DEBUG):
        try:
            resolve(known, {KEY_ID, SECRET}, QUICK)
        except UnstoppableError as error:
            seen: BaseException | None = error
            while seen:
                told += f"{seen} {seen!r} {vars(seen)}"
                seen = seen.__cause__ or seen.__context__
            raised = type(error)

    assert raised is kind
    told += "".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert [secret for secret in (CLIENT_SECRET, VALUE, *keeper.given) if secret in told] == []
    assert keeper.given or furnished is talkative
    assert "127.0.0.1" in told
