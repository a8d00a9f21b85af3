"""What commands tell people and programs."""

import os
import re

import pytest

from tests.stories.world import on_a_terminal


def test_the_same_numbers_are_told_in_words_and_as_json(well):
    snapshot = well.snapshots()[0]["snapshot"]

    assert well.done("runs").splitlines()[1].split()[-1] == snapshot[:8]
    assert well.done("snapshots").splitlines()[1].startswith(snapshot[:8])
    assert snapshot[:8] in well.done("status")
    assert (
        well.done("key", "fingerprint").strip()
        == well.asked("key", "fingerprint")["key_fingerprint"]
    )


def test_times_are_utc_in_json_and_local_in_words(well):
    well.extra["TZ"] = "Asia/Tokyo"

    assert well.asked("runs")[0]["started_at"].endswith("Z")
    assert re.search(r"\d\d:\d\d:\d\d\+09:00", well.done("runs"))
    assert well.asked("snapshots")["snapshots"][0]["time"].endswith("Z")


def test_check_tells_what_it_read(well):
    whole = well.asked("check", "--read-data", "all")

    assert (whole["snapshots"], whole["issue_count"]) == (1, 0)
    assert whole["read_data"] == {"part": 1, "parts": 1}
    assert well.done("check").startswith("whole: default/default (1 snapshot, ")


def test_restore_tells_what_it_wrote(well, root):
    found = well.asked("restore", "--to", str(root / "back"))

    assert (found["files"], found["bytes_written"], found["issue_count"]) == (2, 102409, 0)
    plan = well.asked("restore", "--dry-run", "--to", str(root / "other"))
    assert plan["snapshot"] == found["snapshot"]


def test_a_dry_run_of_a_restore_fails_as_it_would(well, root):
    (root / "back").mkdir()
    (root / "back/bobs").touch()
    command = ("restore", "--to", str(root / "back"))

    planned, done = well.run(*command, "--dry-run"), well.run(*command)

    assert (planned.returncode, done.returncode) == (2, 2)
    assert planned.stdout == ""
    assert planned.stderr == done.stderr
    assert "would restore" in well.done(*command, "--dry-run", "--overwrite")


def test_a_dry_run_below_a_closed_folder_does_not_know_what_is_free(nobody):
    closed = nobody.root / "closed"
    closed.mkdir(mode=0o700)
    command = ("restore", "--dry-run", "--to", str(closed / "back"))

    result = nobody.run(*command)

    assert result.returncode == 0, result.stderr
    assert "note: how much is free there is unknown\n" in result.stderr
    assert nobody.asked(*command)["bytes_free"] is None


def test_a_plan_is_told_when_the_progress_has_left_the_screen(well, root):
    command = ("restore", "--dry-run", "--to", str(root / "back"))

    code, shown = on_a_terminal(well, *command, talks_there=True)

    before, _, after = shown.partition(b"would restore")
    assert (code, b"\x1b[" in before, b"\x1b[" in after) == (0, True, False)


def test_dry_runs_speak_json_too(alice):
    assert len(alice.asked("init", "--dry-run", str(alice.data))["would_make"]) == 5
    alice.done("init", str(alice.data))

    assert alice.asked("backup", "--dry-run")["source"] == str(alice.data)
    assert alice.asked("init", "--dry-run")["would_make"] == []


def test_a_dry_run_of_a_backup_tells_a_journal_that_cannot_be_used_and_leaves_it(well):
    journal = well.state / "journal.sqlite3"
    journal.write_bytes(b"mallory was here" * 1000)

    result = well.run("backup", "--dry-run")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: the journal {journal} cannot be used: ")
    assert journal.read_bytes() == b"mallory was here" * 1000


def test_config_tells_each_value_and_its_origin(well):
    well.extra["UNSTOPPABLE_MAX_SHRINK"] = "30%"

    found = well.asked("config", "show")

    assert found["UNSTOPPABLE_MAX_SHRINK"] == {"value": "30%", "origin": "the environment"}
    assert found["UNSTOPPABLE_CUSTOMER"] == {"value": "default", "origin": "default"}
    assert found["UNSTOPPABLE_KEY"]["value"] == "set, not shown"
    assert found["UNSTOPPABLE_SOURCE"]["origin"] == f"{well.env_file} line 1"


def test_a_key_in_a_file_works_and_only_its_place_is_told(well, root):
    file = root / "key"
    file.write_text(well.key() + "\n")
    file.chmod(0o600)
    lines = [line for line in well.env_file.read_text().splitlines() if "KEY" not in line]
    well.env_file.write_text("\n".join([*lines, f"UNSTOPPABLE_KEY_FILE={file}"]))

    well.done("backup")

    assert well.asked("config", "show")["UNSTOPPABLE_KEY"]["value"] == f"in {file}"


def test_init_again_changes_nothing(well):
    before = well.env_file.read_bytes(), well.pins_file.read_bytes()

    well.done("init")

    assert (well.env_file.read_bytes(), well.pins_file.read_bytes()) == before
    assert len(well.snapshots()) == 1


@pytest.mark.parametrize("asked", ["default/default", None])
def test_the_resource_may_be_named(well, asked):
    assert well.run("backup", *([asked] if asked else [])).returncode == 0


def test_a_resource_that_is_not_configured_is_wrong_usage(well):
    result = well.run("backup", "bob/www")

    assert result.returncode == 2
    assert result.stderr.startswith("error: there is no resource bob/www\n")


def test_before_anything_is_set_up_each_command_says_what_is_missing(alice):
    alice.extra = {"UNSTOPPABLE_ENV_FILE": str(alice.env_file)}
    alice.env_file.parent.mkdir(mode=0o700)
    alice.env_file.touch(mode=0o600)

    for command in (("backup",), ("snapshots",), ("key", "fingerprint"), ("init",)):
        result = alice.run(*command)
        assert result.returncode == 2
        assert " is not set\nhint: " in result.stderr
    assert "last run     none" in alice.done("status")


def test_a_dry_run_tells_that_the_source_is_gone(well):
    well.data.rename(well.root / "elsewhere")

    assert well.run("backup", "--dry-run").returncode == 1


def test_what_is_there_but_not_as_it_was_is_partial(nobody):
    # Only root may give a file to another owner.
    os.chown(nobody.data / "letters/bob.txt", 0, 0)
    nobody.done("backup")
    back = nobody.root / "back"

    result = nobody.run("restore", "--exact", "--to", str(back))

    assert result.returncode == 3
    assert result.stdout.startswith("partial: 1 issue: snapshot ")
    assert (back / "letters/bob.txt").read_text() == "dear bob\n"


def test_what_cannot_be_restored_is_partial(nobody):
    # Only root may make what root owns; without --exact owners are left alone.
    nobody.write("pipe-is-fine")
    os.mkfifo(nobody.data / "pipe")
    nobody.done("backup")

    result = nobody.run("restore", "--to", str(nobody.root / "home/back"))

    assert result.returncode == 0, result.stderr
    assert "not-restored" in result.stderr or "note" in result.stderr
