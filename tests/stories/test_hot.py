"""The cache is never believed, always mended, and never needed."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import Machine, contents, differences

MENDED = "note: the metadata cache was not what cold says"


def cache(machine: Machine) -> Path:
    return machine.hot / "default/default/g1"


def cached(machine: Machine) -> dict[str, str]:
    """Return the SHA-256 of what is there of cold's."""
    found = contents(cache(machine))
    return {
        name: digest
        for name, digest in found.items()
        if not name.startswith("aside/") and name != "known"
    }


def unharmed(machine: Machine, *, files_new: int = 0) -> str:
    """Make a backup that is whole although nothing is left of the cache; returns its talk."""
    before = len(machine.snapshots())

    result = machine.run("backup", "--json")

    assert result.returncode == 0, result.stderr
    assert f'"files_new": {files_new},' in result.stdout
    assert len(machine.snapshots()) == before + 1
    assert machine.run("check", "--read-data", "all").returncode == 0
    return result.stderr


def test_a_cache_in_line_is_not_told_of(well):
    assert "cache" not in unharmed(well)


def test_a_lost_cache_is_filled_and_told(well):
    shutil.rmtree(cache(well))

    assert MENDED in unharmed(well)
    assert "cache" not in unharmed(well)


def test_a_cache_of_yesterday_is_brought_up_to_today(well):
    yesterday = well.root / "yesterday"
    shutil.copytree(cache(well), yesterday)
    well.write("new", "today's\n")
    well.done("backup")
    shutil.rmtree(cache(well))
    yesterday.rename(cache(well))

    # Today's snapshot is not known to be this machine's any more: what it holds is read again.
    assert MENDED in unharmed(well, files_new=1)
    assert "cache" not in unharmed(well)


def test_the_cache_of_another_repository_is_set_aside(well, root):
    (root / "bob").mkdir()
    bob = Machine(root / "bob")
    bob.write("file")
    bob.done("init", str(bob.data))
    shutil.rmtree(cache(well))
    shutil.copytree(cache(bob), cache(well))

    assert MENDED in unharmed(well)
    assert not cached(bob).keys() - {"config"} & cached(well).keys()
    assert any((cache(well) / "aside").iterdir())


def test_a_poisoned_cache_is_set_aside_and_mended(well):
    sound = cached(well)
    for name in sound:
        path = cache(well) / name
        path.write_bytes(bytes(path.stat().st_size))

    talk = unharmed(well)

    assert "the metadata cache held other bytes; they were set aside" in talk
    after = cached(well)
    assert all(after[name] == digest for name, digest in sound.items() if "/" in name)


@pytest.fixture
def full_disk(root: Path) -> Iterator[Path]:
    """A file system without any room, and one for a cache."""
    folder = root / "full"
    folder.mkdir()
    subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)),
        check=True,
        capture_output=True,
    )
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def test_a_cache_without_room_is_told_and_stops_no_run(well, full_disk):
    well.hot = full_disk
    well.done("backup")
    well.write("more", os.urandom(100))
    (full_disk / "filler").write_bytes(bytes(20 << 10))

    for number in range(12):
        well.write(f"folder {number}/" + "n" * 200, os.urandom(100))
        result = well.run("backup")
        assert result.returncode == 0, result.stderr

    assert "the metadata cache does not hold it" in result.stderr
    assert differences(well.data, well.restored()) == ""


def test_a_cache_that_may_not_be_written_is_told_and_stops_no_run(nobody):
    nobody.write("new", "news\n")
    folders = [cache(nobody), *(path for path in cache(nobody).rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)

    result = nobody.run("backup")

    for folder in folders:
        folder.chmod(0o700)
    assert result.returncode == 0, result.stderr
    assert "the metadata cache does not hold it" in result.stderr


def test_cold_alone_restores(well):
    shutil.rmtree(well.hot)

    assert differences(well.data, well.restored()) == ""


def test_rebuild_fills_a_lost_cache_and_tells_counts(well):
    sound = cached(well)
    shutil.rmtree(cache(well))

    planned = well.asked("hot", "rebuild", "--dry-run")
    assert not cache(well).exists()
    words = well.done("hot", "rebuild", "default/default")

    assert (planned["dry_run"], planned["kept"], planned["filled"]) == (True, 0, len(sound))
    assert words.startswith(
        f"rebuilt: the cache of default/default: 0 objects right, {len(sound)} objects filled ("
    )
    assert sound.keys() == cached(well).keys()
    again = well.asked("hot", "rebuild")
    assert (again["kept"], again["filled"], again["set_aside"]) == (len(sound), 0, 0)


def test_after_a_rebuild_a_backup_only_lists_cold(well):
    shutil.rmtree(cache(well))
    well.done("hot", "rebuild")
    for name in contents(well.repository):
        if "/" in name:
            path = well.repository / name
            path.chmod(0o600)
            path.write_bytes(bytes(path.stat().st_size))

    result = well.run("backup", "--json")

    assert result.returncode == 0, result.stderr
    assert '"files_new": 0' in result.stdout
    assert "this run takes cold on trust" in result.stderr
    assert "note" not in well.run("backup").stderr


def test_rebuild_waits_for_nobody_and_leaves_a_running_backup_alone(well):
    with well.lane.open("r+") as lane:
        fcntl.flock(lane, fcntl.LOCK_EX)
        result = well.run("hot", "rebuild")

    assert result.returncode == 11
    assert result.stderr.startswith("error: default/default is busy: ")


def test_rebuild_names_what_is_damaged_in_cold(well):
    snapshot = next((well.repository / "snapshots").iterdir())
    snapshot.chmod(0o600)
    snapshot.write_bytes(bytes(snapshot.stat().st_size))

    shutil.rmtree(cache(well))
    rehearsed = well.run("hot", "rebuild", "--dry-run")
    result = well.run("hot", "rebuild")

    assert (rehearsed.returncode, rehearsed.stderr) == (1, result.stderr)
    assert result.returncode == 1
    assert f"  damaged: snapshots/{snapshot.name}: " in result.stderr
    assert "error: repository of default/default is damaged: 1 object of cold" in result.stderr


def test_rebuild_never_takes_bobs_repository_for_a_cache(well, root):
    (root / "bob").mkdir()
    bob = Machine(root / "bob")
    bob.write("file")
    bob.done("init", str(bob.data))
    before = contents(bob.cold)

    result = well.run("hot", "rebuild", settings={"UNSTOPPABLE_HOT": str(bob.cold)})

    assert result.returncode == 2
    assert before.items() <= contents(bob.cold).items()
