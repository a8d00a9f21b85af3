"""Files of settings that are too large, or would take too long, are refused in one sentence."""

import time

import pytest

from tests.unit.cli.test_customers import WWW, place
from unstoppable.cli import completion, env_file
from unstoppable.cli.settings import read_all
from unstoppable.domain.errors import EnvFileInvalid
from unstoppable.domain.setup_errors import EnvFileTooLarge
from unstoppable.runner import bundle

__all__ = ["place"]
LARGE = 2**18
SECONDS = 8.0
"""Of less than one, where coverage is measured and others work too; else they take minutes."""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#" * LARGE + "\n", "it is larger than 256 KiB"),
        ("a" + ".a" * (LARGE // 3) + "=1\n", "line 1 has more than 200 dots"),
    ],
)
def test_a_customers_file_is_refused_by_its_name_and_stops_no_other(place, text, told):
    path = place.customer("acme", text + WWW)
    place.customer("blue")
    before = time.process_time()

    found = read_all(place.env_file)

    [fault] = found.broken["acme"]
    assert str(fault).startswith(f"the customer's file {path} cannot be used: {told}")
    assert [str(one.configuration.resource) for one in found.all] == ["blue/www"]
    assert [item.value for item in completion.resources(place.env_file, "")] == ["blue/www"]
    assert time.process_time() - before < SECONDS


def test_of_a_file_full_of_mistakes_a_hundred_are_told(place):
    place.customer("acme", WWW + "".join(f"k{number}=1\n" for number in range(20_000)))
    place.customer("blue", "".join(f"[resources.A{number}]\n" for number in range(10_000)))
    before = time.process_time()

    broken = read_all(place.env_file).broken

    assert (len(broken["acme"]), len(broken["blue"])) == (100, 100)
    assert time.process_time() - before < 2 * SECONDS


def test_a_bundle_is_read_within_the_same_limits(tmp_path):
    files = {"acme.toml": b"a" + b".a" * 100_000 + b"=1"}
    bundle.write(tmp_path / "acme.tar", bundle.Bundle(customer="acme", files=files))
    before = time.process_time()

    assert bundle.read(tmp_path / "acme.tar").customer == "acme"

    assert time.process_time() - before < SECONDS


def settings(tmp_path, text):
    path = tmp_path / ".env"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_settings_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    path = settings(tmp_path, "")
    with path.open("r+b") as file:
        file.truncate(2**40)

    with pytest.raises(EnvFileTooLarge, match=r"settings file .*\.env is larger than 256\.0 KiB"):
        env_file.read(path)


@pytest.mark.parametrize("blank", [" ", "\t", "\u2003"])
def test_blanks_that_would_take_minutes_are_refused_with_their_line(tmp_path, blank):
    path = settings(tmp_path, f"# x\nUNSTOPPABLE_HOT=a{blank * (LARGE // 4)}b\n")
    before = time.process_time()

    with pytest.raises(EnvFileInvalid, match=r"line 2.* more than 256 blanks in a row"):
        env_file.read(path)

    assert time.process_time() - before < SECONDS


@pytest.mark.parametrize(
    "line", ["#\n", "!\n", "a='\n", "a='x'y\n", "a=\\'\n", "A=x" + " " * 256 + "x\n", "\n"]
)
def test_the_worst_settings_file_within_the_limit_takes_little_time(tmp_path, line):
    path = settings(tmp_path, line * (LARGE // len(line)))
    before = time.process_time()

    env_file.read(path)

    assert time.process_time() - before < SECONDS


@pytest.mark.parametrize("form", ["x\n", "A=1\n", "{}=1\n", "UNSTOPPABLE_HOTT{}=1\n"])
def test_of_a_settings_file_full_of_mistakes_a_hundred_are_told_and_the_rest_is_read(place, form):
    lines = "".join(form.format(f"A{number}") for number in range(10_000))
    path = place.env_file
    path.write_text(f"{lines}{path.read_text()}")
    place.customer("blue")
    before = time.process_time()

    found = read_all(path)

    assert time.process_time() - before < SECONDS
    assert len(found.common.faults) == 100
    assert found.common.configuration.settings.hot == path.parent.parent / "hot"
    assert [str(one.configuration.resource) for one in found.all] == ["blue/www"]
