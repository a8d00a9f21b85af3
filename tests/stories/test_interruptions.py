"""Runs that are cut off: whatever the moment, nothing is lost and nothing is claimed."""

import os
import random
import re
import shutil
import signal
import time

import pytest

from tests.stories.world import (
    Machine,
    contents,
    differences,
    is_untouched,
    stretch,
    wait_until_reading,
)

SEED = 20240229
SETTLED_SECONDS = 2.1
"""What changed less than two seconds before it is read is read again by the next run."""


def fill(machine: Machine, chance: random.Random) -> None:
    """Write 16 MiB in 64 files, anew each time so that every run has something to do."""
    for number in range(64):
        machine.write(f"{number % 8}/{number}.bin", chance.randbytes(256 << 10))


def change(machine: Machine, chance: random.Random) -> None:
    """Write 3 MiB of it anew: 200 runs must not make a repository that takes long to check."""
    for number in chance.sample(range(64), 12):
        machine.write(f"{number % 8}/{number}.bin", chance.randbytes(256 << 10))


def how_long_a_backup_takes(machine: Machine) -> float:
    began = time.monotonic()
    machine.done("backup")
    return time.monotonic() - began


def test_a_backup_killed_at_any_moment_harms_nothing(well, kills):
    chance = random.Random(SEED)  # noqa: S311
    fill(well, chance)
    well.done("backup")
    change(well, chance)
    longest_seconds = how_long_a_backup_takes(well)

    for _ in range(kills):
        change(well, chance)
        before, listed = contents(well.cold), well.snapshots()
        with well.start("backup", to_be_killed=True) as running:
            time.sleep(chance.uniform(0, longest_seconds))
            running.kill()
        assert is_untouched(before, well.cold)
        now = well.snapshots()
        assert now[: len(listed)] == listed
        assert well.run("check", "--read-data", "all").returncode == 0

    well.done("backup")
    outcomes = [(run["outcome"], run["message"]) for run in well.asked("runs", "--last", "999")]
    assert {outcome for outcome, _ in outcomes} <= {"succeeded", "failed"}
    assert well.asked("runs", "--verify")["records"] == len(outcomes)
    assert all(message.startswith("killed: ") for outcome, message in outcomes if message)
    assert differences(well.data, well.restored()) == ""


def test_a_snapshot_that_a_killed_run_left_can_be_restored_whole(well):
    fill(well, random.Random(SEED + 1))  # noqa: S311
    with well.start("backup", to_be_killed=True) as running:
        while len(list((well.repository / "snapshots").iterdir())) < 2:
            time.sleep(0.001)
        running.kill()

    assert len(well.snapshots()) == 2
    assert differences(well.data, well.restored()) == ""


def test_a_run_that_was_killed_is_called_so_at_once_and_recorded_by_the_next(well):
    large = stretch(well.write("large.bin"), gibibytes=64)
    with well.start("backup", to_be_killed=True) as running:
        wait_until_reading(running, large)
        running.kill()
    large.unlink()

    assert "killed" in well.done("status")
    assert well.asked("status")["is_running"] is False
    well.done("backup")
    assert [run["outcome"] for run in well.asked("runs")] == ["succeeded", "failed", "succeeded"]
    assert well.asked("runs")[1]["message"].startswith("killed: the process ")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_backup_that_is_stopped_keeps_what_it_has_and_the_next_goes_on_from_there(well, stop):
    for number in range(24):
        well.write(f"{number:02}.bin", os.urandom(16 << 20))
    time.sleep(SETTLED_SECONDS)
    with well.start("backup") as running:
        wait_for_packs(well, megabytes=64)
        running.send_signal(stop)
        running.send_signal(stop)
        told, _ = running.communicate()

    assert running.returncode == 130
    assert told.startswith("cancelled: default/default: what was read until then is incomplete ")
    cancelled = well.last_run()
    assert (cancelled["outcome"], cancelled["exit_code"]) == ("cancelled", 130)
    assert [snapshot["tags"] for snapshot in well.snapshots()] == [[], ["incomplete"]]
    next_run = well.asked("backup")
    kept = cancelled["counts"]["bytes_total"]
    assert kept > 0
    assert next_run["outcome"] == "succeeded"
    assert next_run["counts"]["bytes_read"] <= next_run["counts"]["bytes_total"] - kept
    assert differences(well.data, well.restored()) == ""


def test_a_restore_killed_at_any_moment_goes_on_and_ends_whole(well, kills):
    chance = random.Random(SEED + 3)  # noqa: S311
    fill(well, chance)
    well.write("large.bin", chance.randbytes(24 << 20))
    well.done("backup")
    back = well.root / "back"
    command = ("restore", "--exact", "--to", str(back))
    began = time.monotonic()
    well.restored()
    longest_seconds = time.monotonic() - began

    for _ in range(kills):
        with well.start(*command, to_be_killed=True) as running:
            time.sleep(chance.uniform(0, longest_seconds))
            running.kill()
        if any(back.glob("*")) and not any(back.glob(".unstoppable-restore-*")):
            # It was done, but for the folder's own mode and times perhaps, and could not say so.
            assert re.fullmatch(r"(\.d\.\.t[p.]\.{5} \./\n)?", differences(well.data, back))
            shutil.rmtree(back)

    assert "restored: " in well.done(*command)
    assert differences(well.data, back) == ""


@pytest.fixture
def cut_off(well):
    """The folder of a restore that was killed; a newer snapshot came meanwhile."""
    well.write("large.bin", os.urandom(32 << 20))
    well.done("backup")
    target = well.root / "back"
    with well.start("restore", "--to", str(target), to_be_killed=True) as running:
        while not any(target.glob(".unstoppable-restore-*")):
            time.sleep(0.001)
        running.kill()
    well.write("new", "bob's\n")
    well.done("backup")
    return target


def test_a_restore_that_was_cut_off_goes_on_with_its_own_snapshot(well, cut_off):
    _, snapshot, _ = (found["snapshot"] for found in well.snapshots())

    planned = well.asked("restore", "--dry-run", "--to", str(cut_off))
    result = well.run("restore", "--to", str(cut_off))

    assert planned["snapshot"] == snapshot
    assert result.returncode == 0
    told = f"going on with the unfinished restore of snapshot {snapshot[:8]}\n"
    assert told in result.stderr
    assert sorted(path.name for path in cut_off.iterdir()) == ["large.bin", "letters", "photo.bin"]


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_restore_that_was_cut_off_gives_way_to_no_other(well, cut_off, options):
    *_, snapshot, newest = (found["snapshot"] for found in well.snapshots())
    command = ("restore", "--to", str(cut_off), "--at", newest, *options)

    for result in (well.run(*command), well.run(*command, "--dry-run")):
        assert (result.returncode, result.stdout) == (2, "")
        assert f"holds an unfinished restore of snapshot {snapshot}\n" in result.stderr
    (cut_off / f".unstoppable-restore-{snapshot}").unlink()
    well.done("restore", "--to", str(cut_off), "--overwrite")
    assert (cut_off / "new").read_text() == "bob's\n"


def test_a_restore_whose_snapshot_is_gone_names_the_file_that_says_so(well, cut_off):
    *_, snapshot, _ = (found["snapshot"] for found in well.snapshots())
    (well.repository / "snapshots" / snapshot).unlink()

    result = well.run("restore", "--to", str(cut_off))

    assert result.returncode == 1
    assert f"there is no snapshot {snapshot}\n" in result.stderr
    claim = cut_off / f".unstoppable-restore-{snapshot}"
    assert f"hint: delete {claim} and " in result.stderr
    claim.unlink()
    well.done("restore", "--to", str(cut_off), "--overwrite")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_restore_that_is_stopped_says_that_it_goes_on(well, stop):
    for number in range(8):
        well.write(f"{number:02}.bin", os.urandom(16 << 20))
    well.done("backup")
    target = well.root / "back"
    with well.start("restore", "--to", str(target)) as running:
        while not any(target.glob(".unstoppable-restore-*")):
            time.sleep(0.001)
        running.send_signal(stop)
        _, told = running.communicate()

    assert running.returncode == 130
    assert told.endswith(
        "error: cancelled default/default: what was done until then stays\n"
        "hint: the same command goes on from there\n"
    )
    well.done("restore", "--to", str(target))
    assert differences(well.data, target) == ""


def test_a_check_that_is_stopped_does_not_speak_of_storing(well):
    # Nothing in them is right, but they are read to their ends all the same.
    packs = [well.repository / "data/00" / f"{number:064x}" for number in range(16)]
    for pack in packs:
        pack.touch()
        stretch(pack, gibibytes=3)
    with well.start("check", "--read-data", "all") as running:
        wait_until_reading(running, *packs)
        running.terminate()
        _, told = running.communicate()

    assert running.returncode == 130
    assert "error: cancelled default/default: nothing was changed\n" in told


def wait_for_packs(machine: Machine, *, megabytes: int) -> None:
    """Wait until a run has stored so much."""
    data = machine.repository / "data"
    while sum(p.stat().st_size for p in data.rglob("*") if p.is_file()) < megabytes * 1_000_000:
        time.sleep(0.01)


def test_an_incomplete_snapshot_is_never_the_latest(well):
    for number in range(3):
        well.write(f"{number}.bin", os.urandom(16 << 20))
    stretch(well.write("last.bin"), gibibytes=64)
    with well.start("backup") as running:
        wait_for_packs(well, megabytes=32)
        running.terminate()
        running.communicate()
    assert well.snapshots()[-1]["tags"] == ["incomplete"]

    told = well.run("restore", "--dry-run", "--to", str(well.root / "back"))

    assert well.snapshots()[0]["snapshot"][:8] in told.stdout


def killed_init(machine: Machine, *, missing: str) -> None:
    """Leave what an init leaves that was killed before it made `missing`."""
    machine.done("init", str(machine.data))
    for place in (machine.repository, machine.hot / "default/default/g1"):
        for snapshot in (place / "snapshots").iterdir():
            snapshot.unlink()
    for made_later in {"pins": (), "config": ("config",)}[missing]:
        (machine.repository / made_later).unlink()
        (machine.hot / "default/default/g1" / made_later).unlink()
    machine.pins_file.unlink()


@pytest.mark.parametrize("missing", ["pins", "config"])
def test_an_init_that_was_killed_is_completed_by_the_next(alice, missing):
    killed_init(alice, missing=missing)
    key = alice.key()

    alice.done("init", str(alice.data))

    assert alice.key() == key
    alice.done("backup")
    assert alice.run("check", "--read-data", "all").returncode == 0


def test_init_killed_at_random_moments_ends_well(alice):
    chance = random.Random(SEED + 2)  # noqa: S311

    for _ in range(10):
        with alice.start("init", str(alice.data), to_be_killed=True) as running:
            time.sleep(chance.uniform(0, 0.8))
            running.kill()

    alice.done("init", str(alice.data))
    assert differences(alice.data, alice.restored()) == ""
    leftovers = [path.name for path in alice.env_file.parent.iterdir()]
    # What is left of a sheet is named by `status` and goes with `key sheet --confirm`.
    kept = [name for name in leftovers if "recovery-sheet" not in name]
    assert sorted(kept) == [".env", "pins.json"]
