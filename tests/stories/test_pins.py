"""Pins that were lost are learnt from a person, who compared them."""

import json
import subprocess

import pytest

from tests.stories.world import Machine, contents


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    return next(line for line in result.stderr.splitlines() if line.startswith("error: "))


def repository_id(machine: Machine) -> str:
    """Return the id of the machine's repository, as a recovery sheet has it."""
    found: str = json.loads((machine.repository / "unstoppable.json").read_text())["repository_id"]
    return found


def test_lost_pins_are_learnt_by_the_id_that_a_person_compared_and_in_no_other_way(well):
    pins, before = well.pins_file.read_bytes(), contents(well.cold)
    well.pins_file.unlink()
    found, wrong = repository_id(well), f"{0:08x}"

    refused = [well.run("init", *more) for more in ((), ("--dry-run",), ("--pin", wrong))]

    assert [result.returncode for result in refused] == [12, 12, 12]
    assert "`unstoppable init --pin ID`" in refused[0].stderr
    assert f"its id is {found}, which does not begin with {wrong}" in sentence(refused[2])
    assert contents(well.cold) == before
    assert not well.pins_file.exists()
    result = well.run("init", "--pin", found[:8].upper())
    assert f"note: the repository that was there is pinned: {well.pins_file}" in result.stderr
    assert well.pins_file.read_bytes() == pins
    assert len(well.snapshots()) == 2


@pytest.mark.parametrize("asked", ["", "1234567", "g" * 8, "0" * 65])
def test_a_pin_is_the_beginning_of_an_id(well, asked):
    result = well.run("init", "--pin", asked)

    assert result.returncode == 2
    assert "is not the first 8 digits of an id, or more" in sentence(result)


def test_a_pin_makes_no_repository_where_the_folder_was_mistyped(well):
    well.pins_file.unlink()
    elsewhere = well.root / "elsewhere"
    settings = {"UNSTOPPABLE_COLD": str(elsewhere)}

    result = well.run("init", "--pin", repository_id(well), settings=settings)

    assert result.returncode == 10
    assert not elsewhere.exists()
    assert not well.pins_file.exists()


def test_a_pin_is_refused_where_another_repository_is_pinned(well):
    assert well.run("init", "--pin", repository_id(well)).returncode == 0
    assert well.run("init", "--pin", f"{0:08x}").returncode == 12
