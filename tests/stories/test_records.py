"""Every run leaves a signed record, and what is missing or changed among them is told."""

import base64
import json
import socket
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from tests.stories.golden import unpack
from tests.stories.test_schedule import age
from tests.stories.world import Machine, stretch, wait_until_reading

NAMED = ("generation", "key_fingerprint")


def signed(machine: Machine) -> list[dict[str, Any]]:
    """Return what is signed, oldest first, once it was verified."""
    machine.done("runs", "--verify")
    lines = machine.done("runs", "--signed").splitlines()
    return [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in lines]


def outcomes(machine: Machine) -> list[str]:
    return [record["outcome"] for record in signed(machine)]


@pytest.fixture
def older(root) -> Machine:
    """A machine of a version that signed nothing."""
    machine = Machine(root)
    unpack("0.1.0", machine)
    return machine


@pytest.fixture
def emitter_key(well):
    return well.state / "emitters/default.key"


def test_each_run_is_signed_and_says_what_it_told(well):
    well.run("backup", settings={"UNSTOPPABLE_SOURCE": "/nowhere"})
    well.write("new", "news\n")
    well.done("backup")

    records = signed(well)

    assert [record["outcome"] for record in records] == ["succeeded", "failed", "succeeded"]
    assert [record["sequence"] for record in records] == [1, 2, 3]
    assert [record["run"] for record in records[::-1]] == [run["run"] for run in well.asked("runs")]
    assert records[2]["snapshot"] == well.snapshots()[-1]["snapshot"]
    (pins,) = json.loads(well.pins_file.read_text())["resources"].values()
    repository = {"id": pins["repository_id"], **{name: pins[name] for name in NAMED}}
    assert [record["repository"] for record in records] == [repository] * 3
    version = well.done("--version").strip()
    assert {record["program_version"] for record in records} == {version}
    assert {record["host"] for record in records} == {socket.gethostname()}
    told = well.done("runs", "--verify")
    assert told.startswith("whole: 3 signed records of default, the last one by default:")
    assert len(well.done("runs", "--signed", "--last", "2").splitlines()) == 2


def test_runs_that_found_the_lane_taken_or_were_killed_are_signed(well):
    large = stretch(well.write("large"), gibibytes=64)
    with well.start("backup", to_be_killed=True) as running:
        wait_until_reading(running, large)
        busy = well.run("backup")
        running.kill()
    large.unlink()
    well.done("backup")

    records = signed(well)

    assert busy.returncode == 11
    assert [one["outcome"] for one in records] == ["succeeded", "skipped", "failed", "succeeded"]
    assert records[2]["message"].startswith("killed: the process ")
    assert records[2]["ended_at"] is None


def test_slots_that_were_missed_are_signed(older):
    age(older, minutes=5 * 24 * 60)

    older.done("schedule", "tick")

    *missed, made = signed(older)

    assert len(missed) >= 2
    assert {record["outcome"] for record in missed} == {"skipped"}
    assert all(record["message"].startswith("missed: nothing looked at ") for record in missed)
    slots = [record["slot"] for record in (*missed, made)]
    assert slots == sorted(set(slots))
    assert made["outcome"] == "succeeded"


def test_the_journal_of_an_older_version_goes_on_with_signed_records(root):
    machine = Machine(root)
    unpack("0.1.0", machine)
    assert (
        machine.done("runs", "--verify") == "nothing to verify: no run of default is signed yet\n"
    )
    assert machine.run("key", "emitter").returncode == 1

    machine.done("backup")

    (record,) = signed(machine)
    assert (record["start"], record["sequence"]) == ("first", 1)
    assert len(machine.asked("runs")) == 4


def test_who_signs_is_shown_and_never_the_key(well, emitter_key):
    key = emitter_key.read_text().strip()

    shown, found = well.done("key", "emitter"), well.asked("key", "emitter")

    assert found["emitter"] in shown
    assert found["public_key"] in shown
    (record,) = signed(well)
    assert record["emitter"] == found["emitter"]
    everything = shown + str(found) + well.done("runs", "--signed") + well.done("runs", "--verify")
    assert key not in everything + str(record)
    assert emitter_key.stat().st_mode & 0o777 == 0o600


def test_a_broken_key_is_told_by_each_run_and_mended_by_a_copy(well, emitter_key):
    text = emitter_key.read_text()
    emitter_key.write_text("mallory\n")

    result = well.run("backup")

    assert (result.returncode, result.stdout[:8]) == (1, "stored: ")
    assert "error: this run is recorded, but not signed\n" in result.stderr
    assert f"error: cannot sign records of default: {emitter_key}: it does not " in result.stderr
    assert [run["outcome"] for run in well.asked("runs")] == ["succeeded", "succeeded"]
    assert well.run("runs", "--verify").returncode == 1
    assert emitter_key.read_text() == "mallory\n"

    emitter_key.write_text(text)
    owed = well.run("runs", "--verify")
    assert owed.stderr == "note: 1 run ended and could not be signed yet\n"
    well.done("backup")
    assert outcomes(well) == ["succeeded"] * 3


def test_a_key_that_was_moved_away_begins_a_chain_that_says_so(well, emitter_key):
    emitter_key.rename(well.root / "kept")
    missing = well.run("runs", "--verify")

    well.done("backup")

    assert missing.returncode == 1
    assert f"default has no key for its records: there is no {emitter_key}\n" in missing.stderr
    result = well.run("runs", "--verify")
    assert "note: the key before it was lost before record 1 of chain " in result.stderr
    assert [record["start"] for record in signed(well)] == ["first", "key-lost"]
    assert [seen["start"] for seen in well.asked("runs", "--verify")["chains"]] == [
        "first",
        "key-lost",
    ]


def test_what_mallory_changes_in_the_journal_is_told_in_a_sentence(well):
    well.run("backup", settings={"UNSTOPPABLE_SOURCE": "/nowhere"})
    well.done("backup")
    with closing(sqlite3.connect(well.state / "journal.sqlite3")) as journal, journal:
        journal.execute("DELETE FROM runs WHERE outcome = 'failed'")
        journal.execute("DELETE FROM envelopes WHERE sequence = 2")

    result = well.run("runs", "--verify")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "error: the signed records of default are broken after record 1: "
        "record 3 comes where 2 should, which is missing\nhint: "
    )


def test_a_damaged_journal_stops_no_backup_and_is_put_aside_and_told(well):
    journal = well.state / "journal.sqlite3"
    journal.write_bytes(b"mallory was here" * 1000)

    result = well.run("backup")

    (aside,) = well.state.glob("journal-damaged-*.sqlite3")
    told = f"error: the journal {journal} was damaged and now lies at {aside}; what it knew of "
    assert result.returncode == 0
    assert result.stdout.startswith("stored: ")
    assert told in result.stderr
    assert aside.read_bytes() == b"mallory was here" * 1000
    assert [run["outcome"] for run in well.asked("runs")] == ["succeeded"]
    assert len(well.snapshots()) == 2
    assert "note: a journal was lost before record 1 of " in well.run("runs", "--verify").stderr


def test_a_journal_that_was_deleted_is_told_once(well):
    journal = well.state / "journal.sqlite3"
    journal.unlink()

    first, second = well.run("backup"), well.run("backup")

    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
    told = f"error: the journal {journal} was lost: it knows nothing of what default's key signed; "
    assert told in first.stderr
    assert outcomes(well) == ["succeeded", "succeeded"]


def test_a_state_that_cannot_be_written_stops_no_backup_and_loses_no_record(nobody):
    nobody.state.chmod(0o500)
    (nobody.state / "journal.sqlite3").chmod(0o400)

    result = nobody.run("backup")

    nobody.state.chmod(0o700)
    (nobody.state / "journal.sqlite3").chmod(0o600)
    assert (result.returncode, result.stdout[:9]) == (1, "partial: ")
    assert "error: this run could not be recorded\n" in result.stderr
    assert len(nobody.snapshots()) == 2
    nobody.done("backup")
    assert outcomes(nobody) == ["succeeded", "succeeded"]


def test_a_run_that_opened_no_repository_names_none(well):
    well.pins_file.write_text(
        well.pins_file.read_text().replace('"generation": 1', '"generation": 2')
    )

    assert well.run("backup").returncode == 12

    assert signed(well)[-1]["repository"] is None


def test_a_run_is_not_signed_before_it_ended(well):
    large = stretch(well.write("large"), gibibytes=64)
    with well.start("backup") as running:
        wait_until_reading(running, large)
        while len(well.asked("runs")) < 2:
            time.sleep(0.1)
        assert outcomes(well) == ["succeeded"]
        running.terminate()
        running.communicate()

    assert outcomes(well) == ["succeeded", "cancelled"]


def test_what_makes_no_sense_together_is_refused(well):
    for options in (("--verify", "--signed"), ("--verify", "--last", "1")):
        result = well.run("runs", *options)
        assert result.returncode == 2
        assert (
            "--verify looks at all of them and takes neither --last nor --signed" in result.stderr
        )


def test_a_machine_without_runs_has_nothing_to_show(alice):
    alice.env_file.parent.mkdir()
    alice.env_file.write_text(f"UNSTOPPABLE_SOURCE='{alice.data}'\n")
    alice.env_file.chmod(0o600)

    assert alice.done("runs", "--signed") == ""
    found = alice.asked("runs", "--verify")
    assert (found["is_whole"], found["records"], found["emitter"]) == (True, 0, None)
    assert not alice.state.exists()
