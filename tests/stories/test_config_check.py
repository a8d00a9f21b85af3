"""What `config check` foresees, and the faults it finds before a backup does."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.stories.world import Machine, contents
from unstoppable.cli.settings import load
from unstoppable.domain.outlook_errors import ClockBehind
from unstoppable.runner import faults

OTHER_KEY = hashlib.sha256(b"mallory").hexdigest()


def kinds_and_code(machine: Machine) -> tuple[list[str], int]:
    """Return the faults by their kind, and the exit code."""
    result = machine.run("config", "check", "--json")
    found = json.loads(result.stdout)
    assert found["exit_code"] == result.returncode
    return [fault["kind"] for fault in found["faults"]], result.returncode


def with_line(machine: Machine, line: str) -> None:
    """Change a line of the settings file, or write a new one."""
    name = line.split("=", maxsplit=1)[0]
    kept = [old for old in machine.env_file.read_text().splitlines() if not old.startswith(name)]
    machine.env_file.write_text("\n".join([*kept, line, ""]))


def everything(root: Path) -> dict[str, object]:
    """Return all that a look must not change; SQLite lays files beside the journal for a moment."""
    times = {path: path.lstat().st_mtime_ns for path in root.rglob("*") if path.name != "state"}
    return {"contents": contents(root), "times": times}


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def put_a_file_in_place_of(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


def take_the_key_from(machine: Machine, file: str) -> None:
    text = machine.env_file.read_text()
    machine.env_file.write_text(re.sub("UNSTOPPABLE_KEY=.*", f"UNSTOPPABLE_KEY_FILE={file}", text))


@pytest.fixture
def full(root):
    """A file system with next to no room."""
    folder = root / "full"
    folder.mkdir()
    subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)),
        check=True,
    )
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def test_where_all_is_well_it_tells_what_will_happen_and_changes_nothing(well):
    well.extra["TZ"] = "Asia/Tokyo"
    with_line(well, "UNSTOPPABLE_SCHEDULE='17 2 * * * Europe/Berlin'")
    before = everything(well.root)

    result = well.run("config", "check")

    assert result.returncode == 0, result.stderr
    assert f"default/default: {well.data} is backed up to {well.cold}\n" in result.stdout
    # Half past nine in Tokyo, or ten: Berlin has summer time.
    due = r"in the next 24 hours: \d{4}-\d\d-\d\d (09|10):17:00\+09:00\n"
    assert re.search(due, result.stdout)
    assert result.stdout.splitlines()[-1].startswith("in order: ")
    assert "note: cold and the source are on one file system" in result.stderr
    assert "error:" not in result.stderr
    assert everything(well.root) == before


def test_the_document_says_the_same(well):
    with_line(well, "UNSTOPPABLE_SCHEDULE='0 * * * *'")

    found = well.asked("config", "check")

    assert (found["slots_in_24_hours"], found["exit_code"], found["faults"]) == (24, 0, [])
    assert found["next_slot"].endswith(":00:00Z")
    assert well.done("config", "check").count("and 21 more times") == 1


def test_what_is_due_already_is_told(alice):
    alice.env_file.parent.mkdir(mode=0o700)
    alice.extra["UNSTOPPABLE_ENV_FILE"] = str(alice.env_file)
    alice.done("init", str(alice.data))
    shutil.rmtree(alice.state)

    assert "with the next tick: what was due at " in alice.done("config", "check")


def test_every_fault_is_told_at_once_and_the_first_one_decides(well):
    shutil.rmtree(well.data)
    well.pins_file.unlink()
    with_line(well, f"UNSTOPPABLE_KEY='{OTHER_KEY}'")
    with_line(well, "UNSTOPPABLE_SCHEDULE='0 0 29 2 *'")

    result = well.run("config", "check")

    told = re.findall(r"^error: (.*)$", result.stderr, re.MULTILINE)
    parts = ("holds no pins", "cannot open repository", "cannot read the source", "within a year")
    assert all(part in sentence for part, sentence in zip(parts, told, strict=True)), told
    assert result.returncode == 12
    assert result.stdout.splitlines()[-1].startswith("4 faults, ")
    assert result.stderr.count("\nhint: ") == 4


def test_a_setting_that_cannot_be_used_hides_no_other_fault(well):
    with_line(well, "UNSTOPPABLE_MAX_SHRINK=half")
    with_line(well, "UNSTOPPABLE_SORCE=/srv")
    shutil.rmtree(well.data)

    found, code = kinds_and_code(well)

    assert sorted(found) == ["SettingInvalid", "SettingUnknown", "SourceUnavailable"]
    assert code == 2


def test_what_hangs_on_an_unusable_setting_is_not_guessed(well):
    result = well.run("config", "check", settings={"UNSTOPPABLE_COLD": "data"})

    told = re.findall(r"^error: (.*)$", result.stderr, re.MULTILINE)
    reason = "'data' is not a path that starts with /"
    assert told == [f"UNSTOPPABLE_COLD in the environment cannot be used: {reason}"]
    assert "default/default: it is not known what would be backed up\n" in result.stdout


@pytest.mark.parametrize(
    ("harm", "kind", "code"),
    [
        (lambda m: m.pins_file.unlink(), "PinsMissing", 12),
        (lambda m: m.pins_file.write_text("{"), "PinsInvalid", 12),
        (lambda m: m.pins_file.chmod(0o666), "FileUnsafe", 2),
        (lambda m: m.env_file.chmod(0o644), "FileUnsafe", 2),
        (lambda m: with_line(m, f"UNSTOPPABLE_KEY='{OTHER_KEY}'"), "WrongKey", 12),
        (lambda m: with_line(m, "UNSTOPPABLE_KEY='00'"), "KeyInvalid", 2),
        (lambda m: with_line(m, f"UNSTOPPABLE_KEY='{'ab' * 32}'"), "KeyInvalid", 2),
        (lambda m: take_the_key_from(m, "/nowhere/key"), "SecretUnreadable", 2),
        (lambda m: shutil.rmtree(m.cold), "NoRepository", 10),
        (lambda m: empty(m.data), "SourceEmpty", 1),
        (lambda m: shutil.rmtree(m.data), "SourceUnavailable", 1),
        (lambda m: put_a_file_in_place_of(m.data), "SourceUnavailable", 1),
        (lambda m: put_a_file_in_place_of(m.hot), "FolderUnusable", 1),
        (lambda m: m.cold.chmod(0o777), "FileUnsafe", 2),
        (lambda m: (m.state / "journal.sqlite3").write_text("no journal"), "JournalDamaged", 1),
        (lambda m: (m.state / "emitters/default.key").write_text("x"), "EmitterUnusable", 1),
        (lambda m: m.extra.update(UNSTOPPABLE_HOT=str(m.data)), "SourceInsideRepository", 2),
    ],
)
def test_each_fault_is_found(well, harm, kind, code):
    harm(well)

    assert kinds_and_code(well) == ([kind], code)


def test_a_clock_behind_the_newest_snapshot_is_told(well):
    installation = load(well.env_file).installation()
    snapshot = well.snapshots()[0]["snapshot"]
    before = datetime.now(UTC) - timedelta(hours=1)

    assert list(faults.of_repository(installation, datetime.now(UTC))) == []
    (found,) = faults.of_repository(installation, before)

    assert isinstance(found, ClockBehind)
    assert f"the newest snapshot of default/default, {snapshot[:8]}, is of " in str(found)


def test_folders_this_user_may_not_write_are_told_with_what_lies_in_them(nobody):
    deep = nobody.repository / "data"
    deep.chmod(0o500)
    os.chown(nobody.state, 0, 0)
    nobody.state.chmod(0o755)

    result = nobody.run("config", "check")

    for path in (deep, nobody.state):
        assert f"error: cannot use {path}: this user may not write there\n" in result.stderr
    assert result.returncode == 1


def test_a_source_that_nobody_may_read_is_told(nobody):
    nobody.data.chmod(0o300)
    closed = nobody.run("config", "check")
    nobody.data.chmod(0o600)
    not_entered = nobody.run("config", "check")

    told = f"error: cannot read the source of default/default: {nobody.data}: "
    assert f"{told}Permission denied\n" in closed.stderr
    assert f"{told}this user may not enter it\n" in not_entered.stderr


def test_a_disk_without_room_is_told(well, full):
    (full / "filling").write_bytes(bytes(3 << 20))

    result = well.run("config", "check", settings={"UNSTOPPABLE_STATE": str(full / "state")})

    assert f"error: {full} is full: 1.0 MiB are free\n" in result.stderr
    assert result.returncode == 1


def test_a_file_system_that_takes_nothing_is_told(well, full):
    subprocess.run(("mount", "-o", "remount,ro,size=1g", str(full)), check=True)

    result = well.run("config", "check", settings={"UNSTOPPABLE_STATE": str(full / "state")})

    assert f"error: cannot use {full}: its file system is read-only\n" in result.stderr


def test_a_source_on_another_file_system_is_no_note(well, full):
    (full / "letter").touch()

    result = well.run("config", "check", settings={"UNSTOPPABLE_SOURCE": str(full)})

    assert "on one file system" not in result.stderr


def test_our_folders_in_the_source_are_a_note(well):
    inside = well.data / "cold"
    shutil.copytree(well.cold, inside)

    result = well.run("config", "check", settings={"UNSTOPPABLE_COLD": str(inside)})

    note = f"note: UNSTOPPABLE_COLD={inside} lies inside the source and is left out\n"
    assert (result.returncode, note in result.stderr) == (0, True)


def test_what_a_scheduler_will_not_have_is_a_note(well):
    result = well.run("config", "check", settings={"UNSTOPPABLE_MAX_SHRINK": "30%"})

    told = "of this environment alone, which a timer or cron does not have: UNSTOPPABLE_MAX_SHRINK"
    assert f"note: {told}\n" in result.stderr
    assert "of this environment alone" not in well.run("config", "check").stderr


def test_before_anything_is_set_up_it_says_what_is_missing(alice):
    alice.env_file.parent.mkdir(mode=0o700)
    alice.env_file.touch(mode=0o600)

    result = alice.run("config", "check")

    told = re.findall(r"^error: (.*)$", result.stderr, re.MULTILINE)
    assert told == [
        f"{alice.pins_file} holds no pins of default/default",
        "UNSTOPPABLE_KEY is not set",
        "UNSTOPPABLE_SOURCE is not set",
    ]


def test_settings_without_a_repository_are_one_fault(alice):
    alice.env_file.parent.mkdir(mode=0o700)
    alice.env_file.touch(mode=0o600)
    settings = {"UNSTOPPABLE_SOURCE": str(alice.data), "UNSTOPPABLE_KEY": OTHER_KEY}

    result = alice.run("config", "check", settings=settings)

    assert result.returncode == 10
    assert result.stderr.count("error: ") == 1
    assert "`unstoppable init DIR` makes a repository the first time" in result.stderr


def test_who_calls_the_schedule_is_told(well):
    programs = well.root / "bin"
    programs.mkdir()
    table = well.root / "table"
    crontab = programs / "crontab"
    crontab.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat {table} 2>/dev/null || echo no crontab for me >&2'
        f"\nelse cat >{table}; fi\n"
    )
    crontab.chmod(0o755)
    well.extra["PATH"] = f"{programs}:{os.environ['PATH']}"

    before = well.run("config", "check")
    well.done("schedule", "install", "--cron")
    after = well.run("config", "check")

    note = "note: nobody is known to call the schedule here, see `unstoppable schedule install`\n"
    assert note in before.stderr
    assert "the schedule is called by" not in before.stdout
    assert note not in after.stderr
    assert "the schedule is called by this user's crontab\n" in after.stdout
    assert well.asked("config", "check")["called_by"] == ["this user's crontab"]


def test_nobody_calls_a_schedule_that_no_unit_can_hold(well):
    odd = well.root / "it's"
    result = well.run("config", "check", settings={"UNSTOPPABLE_STATE": str(odd)})

    assert result.returncode == 0, result.stderr
    assert "note: nobody is known to call the schedule here" in result.stderr
