"""Backups that are due are made, once."""

import sqlite3
from contextlib import closing

import pytest

from tests.stories.world import Machine

EVERY_MINUTE = {"UNSTOPPABLE_SCHEDULE": "* * * * *"}
FEBRUARY = {"UNSTOPPABLE_SCHEDULE": "0 0 29 2 *"}


def age(machine: Machine, *, minutes: int) -> None:
    """Make all runs of the journal older."""
    seconds = minutes * 60
    with closing(sqlite3.connect(machine.state / "journal.sqlite3")) as journal, journal:
        journal.execute(
            """
            UPDATE runs SET record = json_set(
                record,
                '$.started_at', json_extract(record, '$.started_at') - ?,
                '$.ended_at', json_extract(record, '$.ended_at') - ?)
            """,
            (seconds, seconds),
        )


def outcomes(machine: Machine) -> list[str]:
    return [run["outcome"] for run in machine.asked("runs")]


def test_what_is_not_due_is_left_alone_and_nothing_is_said(well):
    result = well.run("schedule", "tick", settings=FEBRUARY)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert outcomes(well) == ["succeeded"]


def test_a_slot_that_is_due_is_run_once_and_those_before_it_were_missed(well):
    age(well, minutes=3)

    first = well.run("schedule", "tick", settings=EVERY_MINUTE)
    runs = well.asked("runs")

    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("stored: ")
    newest, *skipped, by_hand = runs
    assert (newest["outcome"], by_hand["outcome"]) == ("succeeded", "succeeded")
    assert len(skipped) >= 2, "a minute may begin meanwhile"
    assert all(run["message"].startswith("missed: nothing looked at ") for run in skipped)
    slots = [run["slot"] for run in runs]
    assert slots[-1] is None, "the run by hand"
    assert max(slots[:-1]) == newest["slot"]
    assert len(set(slots)) == len(slots)


def test_a_rehearsal_runs_and_records_nothing(well):
    assert (
        "nothing is due; next: "
        in well.run("schedule", "tick", "--dry-run", settings=FEBRUARY).stdout
    )
    age(well, minutes=3)

    result = well.run("schedule", "tick", "--dry-run", settings=EVERY_MINUTE)

    assert result.stdout.startswith("would run what was due at ")
    assert outcomes(well) == ["succeeded"]


def test_a_day_that_comes_once_in_many_years_is_a_schedule(well):
    rare = {"UNSTOPPABLE_SCHEDULE": "0 0 29 2 */7"}

    rehearsed = well.run("schedule", "tick", "--dry-run", settings=rare)
    shown = well.run("schedule", "show", settings=rare)

    assert rehearsed.stdout == "nothing is due; next: none within five years\n"
    assert (shown.returncode, "next" in shown.stdout) == (0, False)


def test_a_backup_that_fails_is_not_tried_again_for_the_same_slot(well):
    age(well, minutes=3)
    pins = well.pins_file.read_bytes()
    well.pins_file.unlink()

    failed = well.run("schedule", "tick", settings=EVERY_MINUTE)
    well.pins_file.write_bytes(pins)

    assert failed.returncode != 0
    assert outcomes(well)[0] == "failed"
    slots = [run["slot"] for run in well.asked("runs") if run["slot"]]
    well.run("schedule", "tick", settings=EVERY_MINUTE)
    later = [run["slot"] for run in well.asked("runs") if run["slot"]]
    assert len(set(later)) == len(later)
    assert set(slots) <= set(later)


def test_the_schedule_is_shown_with_what_comes_next(well):
    shown = well.done("schedule", "show")
    assert "UTC (UNSTOPPABLE_SCHEDULE is not set)" in shown
    assert "last slot    none" in shown

    named = {"UNSTOPPABLE_SCHEDULE": "30 2 * * * Europe/Berlin"}
    told = well.run("schedule", "show", settings=named).stdout
    assert "schedule     30 2 * * * Europe/Berlin\n" in told
    found = well.asked("schedule", "show")
    assert (found["zone"], found["is_default"], len(found["next_slots"])) == ("UTC", True, 3)


def test_a_damaged_journal_is_put_aside_and_what_nobody_remembers_is_due_at_once(well):
    (well.state / "journal.sqlite3").write_bytes(b"this is no journal" * 100)

    first = well.run("schedule", "tick", settings=FEBRUARY)
    second = well.run("schedule", "tick", settings=FEBRUARY)

    (aside,) = well.state.glob("journal-damaged-*.sqlite3")
    assert f" was damaged and now lies at {aside}; " in first.stderr
    assert (first.returncode, len(well.snapshots())) == (0, 2)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_a_journal_that_cannot_be_read_stops_no_backup_that_is_due_now(well):
    with closing(sqlite3.connect(well.state / "journal.sqlite3")) as journal:
        journal.execute("PRAGMA user_version = 99")

    due_now = well.run("schedule", "tick", settings=EVERY_MINUTE)
    later = well.run("schedule", "tick", settings=FEBRUARY)

    assert "this run could not be recorded" in due_now.stderr
    assert (due_now.returncode, later.returncode) == (1, 1)
    assert len(well.snapshots()) == 2
    assert "the journal " in later.stderr


@pytest.mark.parametrize("wrong", ["daily", "0 25 * * *", "0 2 * * * Europe/Berlim"])
def test_a_schedule_that_is_none_is_refused_by_name(well, wrong):
    result = well.run("schedule", "tick", settings={"UNSTOPPABLE_SCHEDULE": wrong})

    assert result.returncode == 2
    assert "UNSTOPPABLE_SCHEDULE in the environment cannot be used" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_would_call_the_schedule_is_shown_before_anything_is_written(well):
    shown = well.done("schedule", "install", "--dry-run", "--cron")

    assert shown.startswith("crontab:\n* * * * * ")
    assert f"--env-file {well.env_file} schedule tick >/dev/null # unstoppable" in shown
    assert "called by    nobody: `unstoppable schedule install`" in well.done("schedule", "show")
    assert well.asked("schedule", "show")["called_by"] == []


def test_settings_that_cron_would_not_have_are_named(well):
    result = well.run("schedule", "install", settings={"UNSTOPPABLE_MAX_SHRINK": "10%"})

    assert result.returncode == 2
    assert result.stderr.startswith("error: UNSTOPPABLE_MAX_SHRINK from the environment would be ")
    assert f"write them into {well.env_file}" in result.stderr


def test_nothing_is_removed_where_nobody_calls_the_schedule(well):
    shown = well.done("schedule", "remove")

    assert shown == "the schedule of default/default is called by nobody, as before\n"


def test_whoever_ignores_the_end_of_processes_and_starts_us_harms_nothing(well):
    age(well, minutes=3)
    well.entered = ("env", "--ignore-signal=CHLD")

    result = well.run("schedule", "tick", settings=EVERY_MINUTE)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("stored: ")
