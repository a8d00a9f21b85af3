"""What can go wrong, and that each way has its outcome, its exit code and its one sentence."""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import (
    PROGRAM,
    Machine,
    contents,
    differences,
    is_untouched,
    stretch,
    wait_until_reading,
)

MALLORYS_KEY = "9f3c1b7e5a2d4860f1e2d3c4b5a6978812345678deadbeefcafe0badf00dfeed"


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one error of a command that failed, with its hint after it."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")
    assert "Traceback" not in result.stderr
    return errors[0].removeprefix("error: ")


def test_a_key_that_mallory_swapped_is_12_and_touches_nothing(well):
    before = contents(well.cold)
    well.env_file.write_text(well.env_file.read_text().replace(well.key(), MALLORYS_KEY))

    result = well.run("backup")

    assert result.returncode == 12
    assert sentence(result).startswith("cannot open repository of default/default: the key ")
    assert contents(well.cold) == before
    assert (well.last_run()["outcome"], well.last_run()["exit_code"]) == ("failed", 12)


def test_a_wrong_key_is_12_for_reading_too(well, root):
    settings = {"UNSTOPPABLE_KEY": MALLORYS_KEY}

    for command in (("snapshots",), ("check",), ("restore", "--to", str(root / "back"))):
        assert well.run(*command, settings=settings).returncode == 12


def test_a_config_that_mallory_swapped_is_12_and_touches_nothing(well, root):
    bob = Machine(make_folder(root / "bob"))
    bob.write("file")
    bob.done("init", str(bob.data))
    shutil.copy(bob.repository / "config", well.repository / "config")
    before = contents(well.cold)

    result = well.run("backup")

    assert result.returncode == 12
    assert sentence(result).startswith("cannot trust repository of default/default: ")
    assert contents(well.cold) == before


def test_a_whole_repository_that_mallory_swapped_is_12(well, root):
    # Mallory holds the key and makes an empty repository of the same names with it.
    fake = Machine(make_folder(root / "fake"), extra={"UNSTOPPABLE_KEY": well.key()})
    fake.write("file")
    fake.done("init", str(fake.data))
    shutil.rmtree(well.cold)
    shutil.copytree(fake.cold, well.cold)

    assert well.run("backup").returncode == 12
    assert well.run("snapshots").returncode == 12


@pytest.mark.parametrize("content", [None, "", "{}", '{"version": 1, "resources": {}}', "[[["])
def test_a_backup_never_learns_a_pin(well, content):
    before = contents(well.cold)
    well.pins_file.unlink()
    if content is not None:
        well.pins_file.write_text(content)
        well.pins_file.chmod(0o600)

    result = well.run("backup")

    assert result.returncode == 12
    assert str(well.pins_file) in sentence(result)
    assert contents(well.cold) == before


def test_a_backup_never_creates_a_repository(well):
    shutil.rmtree(well.cold)

    result = well.run("backup")

    assert result.returncode == 10
    assert "there is no repository in " in sentence(result)
    assert not well.cold.exists()


def test_init_does_not_replace_a_pinned_repository_that_is_gone(well):
    shutil.rmtree(well.cold)

    result = well.run("init", str(well.data))

    assert result.returncode == 10
    assert not well.cold.exists()


def test_init_without_the_old_settings_leaves_a_repository_alone(well):
    before = contents(well.cold)
    well.env_file.unlink()
    well.pins_file.unlink()

    result = well.run("init", str(well.data))

    assert result.returncode == 1
    assert "no key for it in the settings" in sentence(result)
    assert contents(well.cold) == before
    assert not well.env_file.exists()


def test_the_second_run_at_the_same_time_is_told_who_is_at_it_and_since_when(well):
    well.lane.write_text('{"pid": 4711, "run": "R", "since": "2026-11-24T10:02:11+00:00"}')
    with well.lane.open("r+") as lane:
        fcntl.flock(lane, fcntl.LOCK_EX)

        result = well.run("backup")

    assert result.returncode == 11
    assert sentence(result).startswith("default/default is busy: run R since ")
    assert sentence(result).endswith(":02:11 by pid 4711")
    assert well.last_run()["outcome"] == "skipped"
    assert well.run("backup").returncode == 0


def test_two_real_runs_at_once_never_overlap(well):
    large = stretch(well.write("large"), gibibytes=1)
    with well.start("backup") as running:
        wait_until_reading(running, large)
        running.send_signal(signal.SIGSTOP)

        second = well.run("backup")

        running.send_signal(signal.SIGCONT)
    assert second.returncode == 11
    assert f"by pid {running.pid}" in sentence(second)
    assert running.returncode == 0


def test_a_file_that_may_not_be_read_makes_the_run_partial(nobody):
    secret = nobody.write("secret")
    secret.chmod(0)
    before = contents(nobody.cold)

    result = nobody.run("backup")

    assert result.returncode == 3
    assert result.stdout.startswith("partial: default/default: 1 path was not stored as is; ")
    assert "  unreadable: secret: " in result.stderr
    assert is_untouched(before, nobody.cold)
    assert nobody.snapshots()[-1]["tags"] == ["partial"]
    assert nobody.last_run()["outcome"] == "partial"


def test_a_file_that_shrinks_while_it_is_read_makes_the_run_partial(well):
    large = stretch(well.write("large"), gibibytes=64)
    with well.start("backup") as running:
        wait_until_reading(running, large)
        running.send_signal(signal.SIGSTOP)
        os.truncate(large, 1 << 20)
        running.send_signal(signal.SIGCONT)
        _, talk = running.communicate()

    assert running.returncode == 3
    assert "  shrunk: large: " in talk


def test_a_missing_source_fails_and_touches_nothing(well):
    before = contents(well.cold)
    shutil.rmtree(well.data)

    result = well.run("backup")

    assert result.returncode == 1
    assert sentence(result).startswith("cannot read the source of default/default: ")
    assert contents(well.cold) == before
    assert well.last_run()["outcome"] == "failed"


def test_an_empty_source_is_partial(well):
    before = contents(well.cold)
    shutil.rmtree(well.data)
    well.data.mkdir()

    result = well.run("backup")

    assert result.returncode == 3
    assert "the source holds nothing at all" in result.stdout
    assert is_untouched(before, well.cold)


def test_a_source_that_shrank_too_far_is_partial_until_somebody_accepts_it(well):
    (well.data / "photo.bin").unlink()

    assert well.run("backup").returncode == 3
    assert well.run("backup").returncode == 3
    assert well.run("backup", "--accept-shrink").returncode == 0
    assert well.run("backup").returncode == 0


@pytest.fixture
def small_disk(root: Path) -> Iterator[Path]:
    """A disk of 4 MiB; making one takes root."""
    folder = make_folder(root / "disk")
    subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)),
        check=True,
        capture_output=True,
    )
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def test_a_full_disk_fails_and_touches_nothing(alice, small_disk):
    alice.cold = small_disk / "cold"
    alice.done("init", str(alice.data))
    before = contents(alice.cold)
    big(alice, mebibytes=16)

    result = alice.run("backup")

    assert result.returncode == 1
    assert sentence(result).startswith("storage of default/default failed: ")
    assert "make room" in result.stderr
    assert is_untouched(before, alice.cold)
    assert len(alice.snapshots()) == 1
    assert alice.run("check", "--read-data", "all").returncode == 0


def test_a_journal_without_room_stops_no_backup_but_is_told(alice, small_disk):
    alice.state = small_disk / "state"
    alice.done("init", str(alice.data))
    with (small_disk / "filler").open("wb") as filler, pytest.raises(OSError, match="No space"):
        filler.write(bytes(8 << 20))

    result = alice.run("backup")

    assert result.returncode == 1
    assert result.stdout.startswith("partial: ")
    assert "error: this run could not be recorded" in result.stderr
    assert len(alice.snapshots()) == 2


def test_read_only_cold_fails_and_touches_nothing(nobody):
    before = contents(nobody.cold)
    nobody.write("new", "news\n")
    folders = [nobody.cold, *(path for path in nobody.cold.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)

    result = nobody.run("backup")

    for folder in folders:
        folder.chmod(0o700)
    assert result.returncode == 1
    assert sentence(result).startswith("storage of default/default failed: ")
    assert contents(nobody.cold) == before


def test_a_hot_folder_that_cannot_be_made_is_one_sentence(well, root):
    (root / "file").touch()

    result = well.run("backup", settings={"UNSTOPPABLE_HOT": str(root / "file/hot")})

    assert result.returncode == 1
    assert sentence(result).startswith(f"cannot use {root}/file")


def test_lost_hot_is_made_anew(well):
    shutil.rmtree(well.hot)

    result = well.run("backup", "--json")

    assert result.returncode == 0
    assert '"files_new": 0' in result.stdout


def test_damage_in_cold_is_found(well):
    packs = (path for path in (well.repository / "data").rglob("*") if path.is_file())
    pack = max(packs, key=lambda path: path.stat().st_size)
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(damaged)

    result = well.run("check", "--read-data", "all")

    assert result.returncode == 1
    assert sentence(result).startswith("repository of default/default is damaged: ")


def test_a_pack_that_cold_lost_is_told_by_the_next_run_which_stores_it_anew(well):
    for pack in (well.repository / "data").glob("*/*"):
        pack.unlink()

    result = well.run("backup")

    assert result.returncode == 3
    assert result.stdout.startswith(
        "partial: default/default: 3 objects of the repository cannot be used; what there is is "
    ), "two packs, and the snapshot whose root one of them held"
    assert "hint: `unstoppable check --read-data all` tells which snapshots" in result.stderr
    assert differences(well.data, well.restored()) == ""
    later = well.run("backup")
    assert later.returncode == 0
    assert later.stderr.count("was stored anew by an earlier run") == 2


def test_a_mistyped_hot_never_empties_bobs_repository(well, root):
    bob = Machine(make_folder(root / "bob"))
    bob.write("file")
    bob.done("init", str(bob.data))

    result = well.run("backup", settings={"UNSTOPPABLE_HOT": str(bob.cold)})

    assert result.returncode == 2
    assert "holds a repository and cannot be the cache of one" in sentence(result)
    bob.done("backup")
    assert bob.run("check", "--read-data", "all").returncode == 0


def test_our_own_folders_inside_the_source_are_left_out_and_it_says_so(alice):
    alice.hot, alice.cold = alice.data / "hot", alice.data / "cold"

    result = alice.run("init", str(alice.data))

    assert result.returncode == 0
    assert result.stdout.startswith(f"stored: {alice.data} (2 files, ")
    assert "  note: cold: " in result.stderr
    assert alice.run("backup").returncode == 0


def test_a_fault_shows_where_it_came_from_only_to_who_asks(well):
    quiet, loud = (
        well.run("restore", "--at", "ffff", "--to", "x"),
        well.run("-v", "restore", "--at", "ffff", "--to", "x"),
    )

    assert quiet.returncode == loud.returncode == 1
    assert sentence(quiet) == "no snapshot of default/default matches ffff"
    assert "Traceback" in loud.stderr


def test_a_terminal_shows_a_bar_that_leaves_nothing_behind(well):
    big(well, mebibytes=64)
    argv = ("script", "--quiet", "--return", "--command", f"{PROGRAM} backup", "/dev/null")

    result = subprocess.run(
        argv,
        env=well.environment({"TERM": "xterm", "COLUMNS": "120"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "entries" in result.stdout
    assert "read " in result.stdout
    assert result.stdout.rstrip().endswith("not yet watched by another machine")


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def big(machine: Machine, *, mebibytes: int) -> Path:
    """Write a large file of bytes that no compression makes smaller."""
    return machine.write("large", os.urandom(mebibytes << 20))
