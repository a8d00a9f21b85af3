"""Secrets in variables: a person's shell has them, a timer and cron have not."""

import pytest

from tests.stories.hoster import Hoster

INSTALL = ("schedule", "install", "--cron", "--dry-run")


@pytest.fixture
def in_file(hoster: Hoster) -> Hoster:
    """A hoster all of whose settings stand in files."""
    hoster.add("acme", www="17 2 * * *")
    settings = hoster.machine.environment()
    places = ("HOT", "COLD", "STATE")
    lines = [f"UNSTOPPABLE_{place}={settings[f'UNSTOPPABLE_{place}']}\n" for place in places]
    hoster.machine.env_file.write_text("".join(lines))
    return hoster


def test_a_schedule_is_not_called_where_a_secret_is_in_a_variable(in_file: Hoster) -> None:
    key = in_file.machine.root / "keys/acme-www"
    file = in_file.customers / "acme.toml"
    file.write_text(file.read_text().replace(f"file:{key}", "env:ACME_WWW_KEY"))
    given = {"ACME_WWW_KEY": key.read_text()}

    refused = in_file.machine.run(*INSTALL, settings=given)
    checked = in_file.machine.run("config", "check", settings=given)
    by_hand = in_file.machine.run("backup", "acme/www", settings=given)

    assert refused.returncode == 2
    assert (
        "error: resources.www.repository_key of acme/www is env:ACME_WWW_KEY, a variable that "
        "would be missing when the schedule is called\n"
    ) in refused.stderr
    assert f"hint: write it alone into a file, 0600, and file:/PATH into {file}\n" in refused.stderr
    assert checked.returncode == 0, checked.stderr
    assert (
        "note: acme/www: resources.www.repository_key is env:ACME_WWW_KEY, which a timer or cron "
        "does not have"
    ) in checked.stderr
    assert by_hand.returncode == 0, by_hand.stderr
    assert key.read_text() not in refused.stderr + checked.stderr


def test_the_secret_of_an_identity_is_such_a_secret_too(in_file: Hoster) -> None:
    file = in_file.customers / "acme.toml"
    identity = (
        '[infisical]\nserver = "https://secrets.example"\nproject = "p"\nclient_id = "i"\n'
        'client_secret = "env:ACME_IDENTITY"\n'
    )
    key = in_file.machine.root / "keys/acme-www"
    text = file.read_text().replace(f"file:{key}", "infisical:/acme/WWW_KEY")
    file.write_text(identity + text)

    refused = in_file.machine.run(*INSTALL, settings={"ACME_IDENTITY": "x" * 64})

    assert refused.returncode == 2
    assert "infisical.client_secret of acme/www is env:ACME_IDENTITY, a variable" in refused.stderr
