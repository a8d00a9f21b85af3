"""A bundle that was lost on its way is written again by the command that wrote it first."""

import pytest

from tests.stories.hoster import NEVER
from tests.stories.test_customers_adding import everything, machine
from tests.stories.test_customers_growing import acme, file, grow
from tests.stories.world import Machine

__all__ = ["acme", "machine"]


def commands(machine: Machine) -> dict[str, tuple[str, ...]]:
    source = f"--resource=www={machine.data}/www"
    return {
        "add": ("customer", "add", "blue", source, "--title=Blue", f"--schedule={NEVER}"),
        "add-resource": grow(machine, f"--schedule={NEVER}"),
    }


@pytest.mark.parametrize("command", ["add", "add-resource"])
def test_a_lost_bundle_is_written_again(acme, command):
    tar = acme.root / "first.tar"
    acme.done(*commands(acme)[command], f"--bundle={tar}")
    first = tar.read_bytes()
    tar.unlink()
    again = acme.root / "again.tar"
    text, before = file(acme).read_text(), everything(acme)

    rehearsed = acme.done(*commands(acme)[command], f"--bundle={again}", "--dry-run")
    untouched = everything(acme)
    told = acme.run(*commands(acme)[command], f"--bundle={again}")

    assert untouched == before
    assert rehearsed == f"would make a bundle for another machine in {again}\n"
    assert told.returncode == 0, told.stderr
    who = "blue" if command == "add" else "acme/shop"
    assert told.stdout == f"written again: the bundle of {who} in {again}\n"
    assert f"note: `unstoppable customer import {again}` on the backup machine" in told.stderr
    assert again.read_bytes() == first
    assert everything(acme) == sorted([*before, str(again)])
    assert file(acme).read_text() == text


@pytest.mark.parametrize("command", ["add", "add-resource"])
def test_of_something_else_no_bundle_is_written_and_the_way_out_is_told(acme, command):
    acme.done(*commands(acme)[command])
    words = [word for word in commands(acme)[command] if "schedule" not in word]
    before = everything(acme)

    told = acme.run(*words, f"--bundle={acme.root}/again.tar")

    assert told.returncode == 2
    assert "error: there is a " in told.stderr
    assert "hint: a lost bundle is written again by the command that " in told.stderr
    assert everything(acme) == before
