"""What a look at the schedule leads to, with a journal on disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.schedule import Due, Schedule
from unstoppable.runner.journal import Journal
from unstoppable.runner.tick import RunsKnown, due_without_journal, record_skipped, what_is_due

WWW = ResourceName(customer="alice", resource="www")
HOURLY = Schedule.parse("0 * * * *")


def hour(number: float) -> datetime:
    return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(hours=number)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


def write(
    journal: Journal, started_at: datetime, slot_at: datetime | None = None, *, hours: float = 0.1
) -> None:
    run = Run(id=f"{started_at}", resource=WWW, slot_at=slot_at, started_at=started_at, pid=1)
    ended_at = started_at + timedelta(hours=hours)
    journal.write(RunRecord(run=run, ended_at=ended_at, outcome=Outcome.SUCCEEDED))


def look(journal: Journal, now: datetime) -> Due:
    return what_is_due(RunsKnown(journal), WWW, HOURLY, now)


def test_what_was_never_backed_up_is_due_at_once(journal):
    assert look(journal, hour(1) + timedelta(seconds=30)) == Due(run=hour(1))


def test_after_a_run_by_hand_the_next_slot_is_due_and_no_earlier_one(journal):
    write(journal, hour(1.5))

    assert look(journal, hour(1.9)) == Due()
    assert look(journal, hour(2)) == Due(run=hour(2))


def test_a_slot_with_a_record_is_not_due_again(journal):
    write(journal, hour(2.01), slot_at=hour(2))

    assert look(journal, hour(2.5)) == Due()
    assert look(journal, hour(3)) == Due(run=hour(3))


def test_a_slot_of_a_wrong_clock_ends_no_backups(journal):
    write(journal, hour(1), slot_at=hour(1))
    write(journal, hour(100_000), slot_at=hour(100_000))

    assert look(journal, hour(2)) == Due(run=hour(2))


def test_a_first_run_under_a_wrong_clock_ends_no_backups(journal):
    write(journal, hour(100_000))

    assert look(journal, hour(2.5)) == Due(run=hour(2.5))


def test_a_clock_that_is_far_behind_ends_no_backups(journal):
    long_ago = datetime(1970, 1, 1, 5, 30, tzinfo=UTC)
    write(journal, hour(1), slot_at=hour(1))

    assert look(journal, long_ago) == Due(run=long_ago)
    write(journal, long_ago, slot_at=long_ago)
    assert look(journal, long_ago.replace(hour=6)) == Due(run=long_ago.replace(hour=6, minute=0))


def test_one_look_of_a_clock_that_is_ahead_burns_no_slots(journal):
    write(journal, hour(1), slot_at=hour(1))
    ahead = hour(24 * 26)
    found = look(journal, ahead)
    record_skipped(journal, WWW, found, ahead)
    write(journal, ahead, slot_at=found.run)

    assert look(journal, hour(2)) == Due(run=hour(2))
    assert not journal.has_run_for(WWW, ahead, until=hour(2))


def test_a_run_whose_end_lies_ahead_overlaps_nothing(journal):
    write(journal, hour(1), slot_at=hour(1), hours=100_000)

    assert look(journal, hour(2)) == Due(run=hour(2))


def test_nobody_knows_how_long_a_run_that_was_killed_was_at_work(journal):
    dead = Run(id="dead", resource=WWW, slot_at=hour(1), started_at=hour(1), pid=1)
    journal.write(RunRecord(run=dead, ended_at=None, outcome=Outcome.FAILED))

    assert look(journal, hour(3)) == Due(run=hour(3), missed=(hour(2),))


def test_the_newest_slot_is_made_up_for_however_long_ago_it_was(journal):
    write(journal, datetime(2026, 10, 1, tzinfo=UTC), slot_at=datetime(2026, 10, 1, tzinfo=UTC))
    quarterly = Schedule.parse("0 0 1 1,4,7,10 *")

    found = what_is_due(RunsKnown(journal), WWW, quarterly, datetime(2027, 3, 10, tzinfo=UTC))

    assert found == Due(run=datetime(2027, 1, 1, tzinfo=UTC))


def test_without_a_journal_only_this_very_minute_is_due():
    assert due_without_journal(HOURLY, hour(2) + timedelta(seconds=59)) == Due(run=hour(2))
    assert due_without_journal(HOURLY, hour(2) + timedelta(seconds=60)) == Due()


def test_slots_during_a_run_are_not_made_up_for(journal):
    write(journal, hour(1), slot_at=hour(1), hours=2.5)

    assert look(journal, hour(3.6)) == Due(overlapped=(hour(2), hour(3)))


def test_a_year_of_sleep_is_not_made_up_for_in_full(journal):
    write(journal, hour(1), slot_at=hour(1))

    found = look(journal, hour(24 * 365))

    assert found.run == hour(24 * 365)
    assert len(found.missed) == 31 * 24 - 1


def test_what_was_skipped_is_recorded_once_and_in_words(journal):
    write(journal, hour(1), slot_at=hour(1), hours=1.5)
    found = look(journal, hour(5))
    assert found == Due(run=hour(5), missed=(hour(3), hour(4)), overlapped=(hour(2),))

    record_skipped(journal, WWW, found, hour(5))
    record_skipped(journal, WWW, found, hour(5))

    recorded = [run for run in journal.runs(WWW, limit=9) if run.outcome is Outcome.SKIPPED]
    assert {run.exit_code for run in recorded} == {11}
    assert sorted(run.message or "" for run in recorded) == [
        "missed: nothing looked at the schedule of alice/www at 2026-11-24 03:00 UTC",
        "missed: nothing looked at the schedule of alice/www at 2026-11-24 04:00 UTC",
        "skipped: a run of alice/www was still at work at 2026-11-24 02:00 UTC",
    ]
    assert look(journal, hour(5)) == Due(run=hour(5))
