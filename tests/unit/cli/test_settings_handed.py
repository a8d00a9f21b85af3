"""Secrets that another program hands over take the place of what the settings say."""

import pytest

from unstoppable.cli.settings import load, read
from unstoppable.domain import errors
from unstoppable.domain.keys import KeyKind

KEY = bytes(range(100, 132)).hex()
OTHER = bytes(range(60, 124)).hex()
GONE = "/nobody/may/read/this"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / ".env"
    path.touch(mode=0o600)
    return path


def test_a_secret_that_is_handed_over_needs_no_file(path):
    path.write_text(f"UNSTOPPABLE_KEY_FILE={GONE}\nUNSTOPPABLE_SOURCE_PASSWORD_FILE={GONE}\n")
    secrets = {"UNSTOPPABLE_KEY": KEY, "UNSTOPPABLE_SOURCE_PASSWORD": "pass"}

    found = load(path, secrets=secrets)

    assert found.key is not None
    assert (found.key.kind, found.key.secret.resolve()) == (KeyKind.ROOT, KEY)
    assert found.settings.source_password is not None
    assert found.settings.source_password.resolve() == "pass"
    assert found.given["UNSTOPPABLE_KEY"].origin == "the pipe of --secrets-fd"
    assert not found.keeps_key


def test_it_wins_over_the_environment(path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_S3_ACCESS_KEY_ID", "fromthere")

    found = load(path, secrets={"UNSTOPPABLE_S3_ACCESS_KEY_ID": "handedover"})

    assert found.settings.s3_access_key_id == "handedover"


def test_a_key_of_either_kind_takes_the_place_of_one_of_the_other(path):
    path.write_text(f"UNSTOPPABLE_KEY_FILE={GONE}\n")

    key = load(path, secrets={"UNSTOPPABLE_REPOSITORY_KEY": OTHER}).key

    assert key is not None
    assert (key.kind, key.secret.resolve()) == (KeyKind.REPOSITORY, OTHER)


def test_two_keys_are_one_too_many(path):
    secrets = {"UNSTOPPABLE_KEY": KEY, "UNSTOPPABLE_REPOSITORY_KEY": OTHER}

    with pytest.raises(errors.SettingInvalid, match="UNSTOPPABLE_KEY is set as well"):
        load(path, secrets=secrets)


@pytest.mark.parametrize("name", ["UNSTOPPABLE_SOURCE", "UNSTOPPABLE_KEY_FILE", "KEY"])
def test_what_is_no_secret_is_refused(path, name):
    with pytest.raises(errors.SettingInvalid) as raised:
        load(path, secrets={name: "/srv"})

    assert str(raised.value) == (
        f"{name} in the pipe of --secrets-fd cannot be used: only secrets are handed over"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UNSTOPPABLE_KEY", "no key at all, s3cret"),
        ("UNSTOPPABLE_SOURCE_PASSWORD", "s3cret\nmore"),
        ("UNSTOPPABLE_S3_SECRET_ACCESS_KEY", " s3cret"),
        ("UNSTOPPABLE_KEY", ""),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_untold(path, name, value):
    (fault,) = read(path, secrets={name: value}).faults

    assert name in str(fault)
    assert "s3cret" not in str(fault) + fault.hint
