"""What a check reads and finds."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.stories.world import Machine


def packs(machine: Machine) -> list[Path]:
    return [path for path in (machine.repository / "data").rglob("*") if path.is_file()]


def flip(path: Path, place: int) -> None:
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.chmod(0o600)
    path.write_bytes(changed)


def sentence(stderr: str) -> str:
    return next(line for line in stderr.splitlines() if line.startswith("error: "))


def test_damage_is_named_in_words_and_as_json(well):
    well.write("large", os.urandom(100_000))
    well.done("backup")
    pack = max(packs(well), key=lambda path: path.stat().st_size)
    name = str(pack.relative_to(well.repository))
    flip(pack, 40)

    quick, full = well.run("check"), well.run("check", "--read-data", "all")
    told = well.asked("check", "--read-data", "all")

    assert quick.returncode == 0
    assert full.returncode == 1
    assert f"  damaged: {name}: its SHA-256 is not its name" in full.stderr
    assert sentence(full.stderr).startswith(
        "error: repository of default/default is damaged: 2 findings in 2 snapshots, "
    )
    assert (told["issue_count"], told["issues"][0]["kind"]) == (2, "damaged")
    assert told["issues"][0]["path"] == name
    harmed = told["issues"][1]
    assert harmed["path"] == f"snapshots/{well.snapshots()[1]['snapshot']}"
    assert harmed["message"] == '"/default/default/large" cannot be restored whole'


@pytest.mark.parametrize("name", ["config", "unstoppable.json"])
def test_a_changed_config_or_certificate_is_12_and_named(well, name):
    flip(well.repository / name, -12)

    result = well.run("check")

    assert result.returncode == 12
    assert name in sentence(result.stderr)


def test_a_certificate_is_guarded_without_pins_too(well):
    well.pins_file.unlink()
    path = well.repository / "unstoppable.json"
    born = json.loads(path.read_text())["created_at_seconds"]
    path.chmod(0o600)
    path.write_text(path.read_text().replace(str(born), str(born - 1)))

    result = well.run("check")

    assert result.returncode == 12
    assert "unstoppable.json" in sentence(result.stderr)


def test_a_share_is_read_by_the_day_and_says_which(well):
    for number in range(3):
        well.write("letters/bob.txt", f"dear bob, {number}\n")
        well.done("backup")
    day = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days

    told = well.asked("check", "--read-data", "30%")
    words = well.done("check", "--read-data", "30%")

    today = {"part": day % 4 + 1, "parts": 4}
    tomorrow = {"part": (day + 1) % 4 + 1, "parts": 4}
    assert told["read_data"] in (today, tomorrow)
    assert f"of the data part {told['read_data']['part']} of 4 was read" in words
    everything = well.asked("check", "--read-data", "100%")
    assert everything["read_data"] == {"part": 1, "parts": 1}
    structure = well.asked("check")
    assert structure["read_data"] is None
    assert structure["bytes_read"] <= told["bytes_read"] <= everything["bytes_read"]


@pytest.mark.parametrize("share", ["0%", "101%", "5", "half", "", "-1%", "٥%"])
def test_a_share_that_is_none_is_wrong_usage(well, share):
    result = well.run("check", "--read-data", share)

    assert result.returncode == 2
    assert "is neither all nor 1% to 100%" in sentence(result.stderr)


def test_a_missing_pack_is_found_without_reading_data(well):
    gone = packs(well)[0]
    gone.unlink()

    result = well.run("check")

    assert result.returncode == 1
    assert str(gone.relative_to(well.repository)) in result.stderr
    assert "it is missing" in result.stderr


def test_what_is_no_object_is_told_and_harms_nothing(well):
    strays = ["index/foo.tmp", "data/ab/notanid", "keys/key"]
    for name in strays:
        (well.repository / name).write_text("bob's\n")
    unfinished = packs(well)[0].name + ".tmp-0123456789abcdef"
    (well.repository / "data/ab" / unfinished).touch()

    result = well.run("check")
    told = well.asked("check")

    assert result.returncode == 0
    assert result.stdout.startswith("whole: ")
    for name in strays:
        assert f"  note: {name}: it is no object: " in result.stderr
    assert sorted(issue["path"] for issue in told["issues"]) == sorted(strays)
    assert (told["issue_count"], {issue["kind"] for issue in told["issues"]}) == (
        0,
        {"ignored-object"},
    )
