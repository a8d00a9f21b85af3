"""What a look at the schedule leads to, with a journal on disk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.schedule import Due, Schedule
from unstoppable.runner.journal import Journal
from unstoppable.runner.tick import record_skipped, what_is_due

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
    return what_is_due(journal, WWW, HOURLY, now)


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

    record_skipped(journal, WWW, found)
    record_skipped(journal, WWW, found)

    recorded = journal.runs(WWW, limit=9)[:-1]
    assert [(run.run.slot_at, run.outcome, run.exit_code) for run in recorded] == [
        (hour(number), Outcome.SKIPPED, 11) for number in (4, 3, 2)
    ]
    assert [run.message for run in recorded] == [
        "missed: nothing looked at the schedule of alice/www at 2026-11-24 04:00 UTC",
        "missed: nothing looked at the schedule of alice/www at 2026-11-24 03:00 UTC",
        "skipped: a run of alice/www was still at work at 2026-11-24 02:00 UTC",
    ]
    assert look(journal, hour(5)) == Due(run=hour(5))
