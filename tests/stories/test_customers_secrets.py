"""Customers whose secrets an Infisical server keeps, and what one may read of another."""

import os
from pathlib import Path

import pytest

from tests.servers.infisical import InfisicalServer
from tests.stories.hoster import Hoster

NEVER = "0 0 29 2 *"


@pytest.fixture
def kept(hoster: Hoster, infisical: InfisicalServer) -> Hoster:
    """Three customers whose keys are in the keeping of a server."""
    assert infisical.certificate is not None
    hoster.machine.extra |= {
        "UNSTOPPABLE_INFISICAL_URL": infisical.address,
        "UNSTOPPABLE_INFISICAL_CA_FILE": str(infisical.certificate.authority),
    }
    for customer in ("acme", "blue", "cyan"):
        hoster.add(customer, www=NEVER)
        hoster.move_keys(customer, infisical, f"5ecret-of-{customer}")
    return hoster


def test_one_whose_identity_is_locked_out_fails_and_says_why_and_the_others_succeed(
    kept, infisical
):
    infisical.identities["identity-of-blue"].is_locked = True

    told = kept.machine.run("schedule", "tick")

    assert told.returncode == 1
    assert kept.runs("acme/www") == kept.runs("cyan/www") == [("succeeded", "")]
    [(outcome, message)] = kept.runs("blue/www")
    assert outcome == "failed"
    assert "blue/www has not the secrets it needs" in message
    assert "locked" in message
    assert "5ecret" not in told.stdout + told.stderr + message


def test_a_run_by_hand_asks_for_its_own_secrets(kept):
    kept.machine.done("backup", "acme/www")

    assert (kept.machine.restored("acme/www") / "file").read_text() == "acme's www\n"


def test_each_run_logs_in_once_lists_once_and_gives_its_token_back(kept, infisical):
    before = len(infisical.asked())

    kept.machine.done("schedule", "tick")

    asked = [request.partition("?")[0] for request in infisical.asked()[before:]]
    assert len(asked) == 9
    assert sorted(set(asked)) == [
        "GET /api/v4/secrets",
        "POST /api/v1/auth/token/revoke",
        "POST /api/v1/auth/universal-auth/login",
    ]


def test_secrets_check_tells_which_can_be_had_and_shows_none(kept, infisical):
    whole = kept.machine.run("secrets", "check")
    infisical.identities["identity-of-blue"].is_locked = True
    lacking = kept.machine.run("secrets", "check")
    one = kept.machine.run("secrets", "check", "acme/www")
    document = kept.machine.asked("secrets", "check")

    assert (whole.returncode, whole.stderr) == (0, "")
    assert "3 secrets: 3 can be used, 0 cannot\n" in whole.stdout
    assert "infisical:/acme/WWW_KEY" in whole.stdout
    assert lacking.returncode == 1
    assert "3 secrets: 2 can be used, 1 cannot\n" in lacking.stdout
    assert "blue" in lacking.stderr
    assert one.returncode == 0
    assert [found["error"] is None for found in document] == [True, False, True]


def test_a_server_that_is_away_is_told_once_for_all(kept, infisical):
    infisical.shutdown()
    infisical.server_close()

    told = kept.machine.run("secrets", "check", settings={"UNSTOPPABLE_PARALLEL": "3"})

    assert told.returncode == 1
    assert "3 secrets: 0 can be used, 3 cannot\n" in told.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[infisical]", "[infisicle]", "did you mean infisical?"),
        ('project = "', 'projekt = "', "infisical.project"),
        ('client_id = "identity-of-acme"', 'client_id = "identity-of-blue"', "one identity"),
        ("client_secret =", "server = 'http://x'\nclient_secret =", "infisical.server"),
        ('client_secret = "file:', 'client_secret = "infisical:', "lies in Infisical, and"),
        ("infisical:/acme/", "infisical:acme/", "starts with /"),
    ],
)
def test_what_a_file_says_wrong_of_it_is_told(kept, old, new, told):
    path = kept.customers / "acme.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    result = kept.machine.run("backup", "acme/www")

    assert result.returncode == 2
    assert told in result.stderr
    assert str(path) in result.stderr or "customers acme and blue" in result.stderr


def test_customers_may_share_an_identity_when_both_say_so(kept):
    for customer in ("acme", "blue", "cyan"):
        path = kept.customers / f"{customer}.toml"
        text = path.read_text().replace(f"identity-of-{customer}", "identity-of-cyan")
        text = text.replace(f"{customer}.infisical", "cyan.infisical")
        path.write_text(text.replace("[infisical]\n", "[infisical]\nshares_identity = true\n"))

    taken = kept.machine.run("backup", "acme/www")
    path = kept.customers / "cyan.toml"
    path.write_text(path.read_text().replace("shares_identity = true\n", ""))
    refused = kept.machine.run("backup", "acme/www")

    assert taken.returncode == 0, taken.stderr
    assert refused.returncode == 2


def test_no_secret_is_in_an_argument_or_the_environment_of_a_run(hoster):
    hoster.add("acme", www=NEVER)
    key = (hoster.machine.root / "keys/acme-www").read_text()
    hoster.lengthen("acme", gibibytes=8)
    hoster.machine.extra |= {"BLUE_KEY": "0123", "UNSTOPPABLE_S3_SECRET_ACCESS_KEY": "4567"}
    tick = hoster.machine.start("schedule", "tick")
    seen = _of_runs(tick)
    tick.terminate()
    tick.communicate(timeout=60)

    assert any(b"--secrets-fd" in arguments for arguments, _ in seen)
    for secret in (key, "BLUE_KEY", "4567"):
        assert all(
            secret.encode() not in arguments + environment for arguments, environment in seen
        )


def _of_runs(tick) -> list[tuple[bytes, bytes]]:
    """Return arguments and environments of the runs of a tick, once there is one."""
    while tick.poll() is None:
        found = []
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                arguments = Path(entry.path, "cmdline").read_bytes()
                if b"--secrets-fd" not in arguments:
                    continue
                found.append((arguments, Path(entry.path, "environ").read_bytes()))
            except OSError:
                continue
        if found:
            return found
    raise AssertionError("it ended before it had a run")
