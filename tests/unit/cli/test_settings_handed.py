"""Secrets that another program hands over take the place of what the settings say."""

import subprocess
import sys

import pytest

from unstoppable.cli.settings import load, read, read_one
from unstoppable.domain import errors
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.names import ResourceName

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


LITERAL = {
    "UNSTOPPABLE_S3_SECRET_ACCESS_KEY": "0perators",
    "UNSTOPPABLE_SMTP_PASSWORD": "p0stbox",
    "UNSTOPPABLE_PING_URL": "https://ping.example/uu1d",
}


@pytest.fixture
def mallory(path):
    """Mallory's file, beside a settings file with secrets that are none of his."""
    lines = [f"UNSTOPPABLE_{place.upper()}={path.parent / place}" for place in ("hot", "state")]
    forms = ("{}={}", "export {} = '{}'", "'{}'=\"{}\" # a word")
    lines += [form.format(*one) for form, one in zip(forms, LITERAL.items(), strict=True)]
    path.write_text("\n".join([*lines, "UNSTOPPABLE_S3_REGION=eu-1", ""]))
    file = path.with_name("customers") / "mallory.toml"
    file.parent.mkdir(mode=0o700)
    key = file.parent / "key"
    key.write_text(OTHER)
    file.write_text('[resources.www]\nsource = "/srv"\nrepository_key = "file:mallory/key"\n')
    (file.parent / "mallory").mkdir()
    key.rename(file.parent / "mallory/key")
    for one in (file, file.parent / "mallory/key"):
        one.chmod(0o600)
    return path


def test_a_run_that_gives_up_the_rest_keeps_no_secret_of_the_settings_file(mallory):
    secrets = read_one(mallory, ResourceName.parse("mallory/www")).secrets()

    found = load(mallory, "mallory/www", secrets=secrets, is_alone=True)

    assert not LITERAL.keys() & found.given.keys()
    assert found.settings.s3_region == "eu-1"
    assert found.key is not None
    assert found.key.secret.resolve() == OTHER


def test_a_run_is_handed_over_no_secret_that_it_does_not_need(mallory):
    found = read_one(mallory, ResourceName.parse("mallory/www"))

    assert found.secrets() == {"UNSTOPPABLE_REPOSITORY_KEY": OTHER}


def test_a_secret_that_is_left_out_is_nowhere_in_memory(tmp_path):
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\nUNSTOPPABLE_SMTP_PASSWORD=" + bytes(range(116, 96, -1)) + b"\nB=2\n")
    path.chmod(0o600)
    program = f"""
import re
from pathlib import Path
from unstoppable.cli import env_file
lines, faults = env_file.read(Path({str(path)!r}), without=["UNSTOPPABLE_SMTP_PASSWORD"])
found = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        span, rights, _, _, _, *name = line.split()
        if "r" in rights and name[:1] not in (["[vvar]"], ["[vsyscall]"], ["[vvar_vclock]"]):
            begin, end = (int(number, 16) for number in span.split("-"))
            memory.seek(begin)
            # Which does not hold itself what it looks for.
            found += len(re.findall(b"ts[r]qponmlkjih[g]fedcba", memory.read(end - begin)))
print(sorted(lines), faults, found)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("['A', 'B'] [] 0\n", "")
