"""The first hour: set up, back up, bring back."""

import os
import stat
import subprocess

from tests.stories.mounting import NOTHING_INSTALLED
from tests.stories.world import PROGRAM, differences


def test_one_command_sets_everything_up_and_the_data_comes_back_exactly(alice):
    result = alice.run("init", str(alice.data))

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"stored: {alice.data} (2 files, 100.0 KiB) as snapshot ")
    assert "; not yet watched by another machine\n" in result.stdout
    assert differences(alice.data, alice.restored()) == ""


def test_settings_key_and_pins_are_for_alice_alone(well):
    folders = (well.env_file.parent, well.hot, well.cold, well.state)
    files = (well.env_file, well.pins_file, well.lane, well.state / "journal.sqlite3")

    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_key_is_never_shown(well):
    shown = [
        well.run(*command)
        for command in (("config", "show"), ("config", "show", "--json"), ("-v", "backup"))
    ]

    assert [result.returncode for result in shown] == [0, 0, 0]
    assert not any(well.key() in result.stdout + result.stderr for result in shown)


def test_what_was_stored_and_what_is_restored_are_counted_alike(well, root):
    (well.data / "link").symlink_to("photo.bin")

    stored = well.done("backup")
    restored = well.done("restore", "--to", str(root / "back"))

    assert "(3 files, 100.0 KiB)" in stored
    assert "(3 files, 100.0 KiB)" in restored


def test_each_change_is_a_snapshot_and_each_can_be_brought_back(well):
    first = well.restored()
    well.write("letters/bob.txt", "dear bob, ps\n")
    (well.data / "photo.bin").rename(well.data / "letters/photo.bin")

    well.done("backup")

    older, newer = (snapshot["snapshot"] for snapshot in well.snapshots())
    assert differences(well.data, well.restored("--at", newer)) == ""
    assert differences(first, well.restored("--at", older[:8])) == ""


def test_one_path_is_brought_back_alone(well):
    target = well.restored("--path", "letters")

    assert [path.name for path in target.iterdir()] == ["bob.txt"]


def test_restore_never_mixes_with_files_that_are_there(well):
    result = well.run("restore", "--to", str(well.data))

    assert result.returncode == 2
    assert f"error: cannot restore default/default: {well.data} is not an empty" in result.stderr
    assert "hint: " in result.stderr


def test_overwrite_replaces_what_differs_and_leaves_the_rest(well):
    target = well.restored()
    (target / "letters/bob.txt").write_text("dear mallory\n")
    (target / "mine").write_text("stays\n")

    found = well.asked("restore", "--exact", "--overwrite", "--to", str(target))

    assert found["bytes_written"] - found["bytes_kept"] == len("dear bob\n")
    assert (target / "mine").read_text() == "stays\n"
    (target / "mine").unlink()
    assert "letters" not in differences(well.data, target)


def test_restore_never_writes_into_our_own_folders(well, root):
    way = root / "way"
    way.symlink_to(well.repository)
    targets = (well.cold / "new", well.repository, way / "data/new", well.hot, well.state / "a/b")
    places = ("COLD", "COLD", "COLD", "HOT", "STATE")

    for target, place in zip(targets, places, strict=True):
        result = well.run("restore", "--to", str(target))

        assert result.returncode == 2
        assert f"{target} lies inside UNSTOPPABLE_{place}=" in result.stderr
    assert not targets[0].exists()
    well.done("check", "--read-data", "all")


def test_cold_and_the_key_are_enough_on_a_new_machine(well, root):
    key = well.key()
    well.env_file.unlink()
    well.pins_file.unlink()
    environment = {
        name: value
        for name, value in well.environment().items()
        if name not in {"UNSTOPPABLE_ENV_FILE", "UNSTOPPABLE_HOT", "UNSTOPPABLE_STATE"}
    }
    environment |= {"UNSTOPPABLE_KEY": key, "XDG_CONFIG_HOME": str(root), "HOME": str(root)}
    argv = (*NOTHING_INSTALLED, PROGRAM, "restore", "--exact", "--to", str(root / "back"))

    result = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert "compare these two with your written copy" in result.stderr
    assert differences(well.data, root / "back") == ""


def test_status_and_runs_tell_what_happened(well):
    status = well.asked("status")

    assert status["is_running"] is False
    assert status["is_watched"] is False
    assert status["last_run"]["outcome"] == "succeeded"
    assert status["last_stored"]["snapshot"] == well.snapshots()[0]["snapshot"]
    assert well.last_run()["run"] == well.snapshots()[0]["run"]
    assert "not yet watched" in well.done("status")


def test_the_fingerprint_is_the_pinned_one(well):
    assert well.done("key", "fingerprint").strip() in well.pins_file.read_text()


def test_a_dry_run_changes_nothing(alice):
    told = alice.done("init", "--dry-run", str(alice.data))

    assert told.count("would make") == 5
    assert not alice.env_file.exists()
    assert not alice.hot.exists()
    assert not alice.cold.exists()


def test_a_dry_run_of_backup_and_restore_changes_nothing(well, root):
    told = (
        well.done("backup", "--dry-run"),
        well.done("restore", "--dry-run", "--to", str(root / "back")),
    )

    assert [line.split()[0] for line in told] == ["would", "would"]
    assert len(well.snapshots()) == 1
    assert not (root / "back").exists()


def test_settings_of_the_environment_are_kept_for_later_runs(alice):
    alice.extra["UNSTOPPABLE_EXCLUDE"] = "*.bin"
    alice.done("init", str(alice.data))
    del alice.extra["UNSTOPPABLE_EXCLUDE"]

    alice.done("backup")

    assert [snapshot["files_total"] for snapshot in alice.snapshots()] == [1, 1]


def test_a_reader_who_leaves_early_changes_no_exit_code(well):
    reading, writing = os.pipe()
    os.close(reading)
    argv = (PROGRAM, "backup")

    with os.fdopen(writing, "wb") as gone:
        result = subprocess.run(
            argv, env=well.environment(), stdout=gone, stderr=subprocess.PIPE, check=False
        )

    assert (result.returncode, result.stderr) == (0, b"")


def test_output_that_cannot_be_written_is_an_error(well):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        result = subprocess.run(
            (PROGRAM, "snapshots"),
            env=well.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert result.returncode == 1
    assert result.stderr.startswith("error: cannot write the output: No space left on device\n")
