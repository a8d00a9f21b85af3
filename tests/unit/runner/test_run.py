"""How a run's end is judged and told; that backups are backups is shown by the stories."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.runner.summaries import stored
from unstoppable.domain import errors
from unstoppable.domain.limit_errors import RanTooLong
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.snapshot import Issue, Stored
from unstoppable.engine import Cancel, Watch
from unstoppable.runner.journal import Journal
from unstoppable.runner.pen import Pen
from unstoppable.runner.run import Verdict, _attempt, _stored

ALICE = ResourceName(customer="alice", resource="www")
RUN = Run(
    id="R", resource=ALICE, slot_at=None, started_at=datetime(2026, 11, 24, tzinfo=UTC), pid=1
)


def attempt(error: Exception) -> Verdict:
    def fail() -> Stored:
        raise error

    return _attempt(RUN, fail, Watch(cancel=Cancel(), progress=lambda _progress: None))


@pytest.mark.parametrize(
    ("error", "outcome", "exit_code"),
    [
        (errors.SourceUnavailable(resource=ALICE, cause="gone"), Outcome.FAILED, 1),
        (errors.PinsMissing(path="x", resource=ALICE), Outcome.FAILED, 12),
        (errors.NoRepository(resource=ALICE, cause="x"), Outcome.FAILED, 10),
        (errors.Cancelled(resource=ALICE), Outcome.CANCELLED, 130),
        (errors.Busy(resource=ALICE, holder="x"), Outcome.SKIPPED, 11),
        (PermissionError(13, "Permission denied"), Outcome.FAILED, 1),
        (KeyError("x"), Outcome.FAILED, 1),
    ],
)
def test_whatever_happens_becomes_a_record(error, outcome, exit_code):
    verdict = attempt(error)

    assert (verdict.record.outcome, verdict.exit_code) == (outcome, exit_code)
    assert verdict.record.message == str(verdict.error)
    assert verdict.record.ended_at is not None


def test_a_source_that_was_lost_is_a_failure_with_a_snapshot():
    verdict = _stored(RUN, stored("incomplete"), is_cancelled=False)

    assert (verdict.record.outcome, verdict.exit_code) == (Outcome.FAILED, 1)
    assert isinstance(verdict.error, errors.SourceLost)
    assert verdict.record.snapshot_id == "f" * 64


def test_what_was_stopped_for_taking_too_long_has_failed_and_is_not_cancelled():
    cancel = Cancel()

    def store() -> Stored:
        cancel.set()
        return stored("incomplete")

    verdict = _attempt(
        RUN,
        store,
        Watch(cancel=cancel, progress=lambda _progress: None),
        stopped=lambda kept: RanTooLong(resource=ALICE, limit="8 h 00 min", kept=kept),
    )

    assert (verdict.record.outcome, verdict.exit_code) == (Outcome.FAILED, 1)
    assert verdict.record.message == (
        "stopped alice/www: it took longer than max_runtime allows, 8 h 00 min; "
        "incomplete snapshot ffffffff was kept"
    )
    assert verdict.record.snapshot_id == "f" * 64
    assert verdict.record.counts is not None


def test_what_was_complete_before_it_could_be_stopped_has_succeeded():
    verdict = _attempt(
        RUN,
        stored,
        Watch(cancel=Cancel(), progress=lambda _progress: None),
        stopped=lambda kept: RanTooLong(resource=ALICE, limit="8 h 00 min", kept=kept),
    )

    assert verdict.record.outcome is Outcome.SUCCEEDED
    assert verdict.error is None


def test_issues_that_are_counted_but_not_kept_still_make_a_run_partial():
    note = Issue(kind="grew", path=b"log", message="it grew", is_note=True)

    verdict = _stored(RUN, stored(issues=(note,), issue_count=1), is_cancelled=False)

    assert verdict.record.outcome is Outcome.PARTIAL


def test_the_last_record_makes_up_for_those_that_could_not_be_written(tmp_path: Path):
    (tmp_path / "state").touch()
    pen = Pen(Journal(tmp_path / "state"))
    pen.write(RunRecord(run=RUN))
    failed_with = pen.failure
    (tmp_path / "state").unlink()

    pen.write(RunRecord(run=RUN, outcome=Outcome.SUCCEEDED))

    assert isinstance(failed_with, errors.FolderUnusable)
    assert pen.failure is None
    assert Journal(tmp_path / "state").runs(ALICE, limit=1)[0].outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(("kinds", "code"), [([], 0), (["unreadable"], 3)])
def test_a_backup_that_is_not_on_record_has_failed(tmp_path: Path, kinds, code):
    issues = [Issue(kind=kind, path=b"www", message="why", is_note=False) for kind in kinds]
    verdict = _stored(RUN, replace(stored(), issues=tuple(issues)), is_cancelled=False)
    lost = errors.JournalUnusable(path=tmp_path, cause="disk full")

    unrecorded = Verdict(record=verdict.record, stored=verdict.stored, error=None, unrecorded=lost)

    assert (verdict.exit_code, unrecorded.exit_code) == (code, 1)


def test_a_run_without_an_outcome_is_buried_only_once_the_lane_is_held(tmp_path: Path):
    journal = Journal(tmp_path)
    journal.write(RunRecord(run=RUN))

    Pen(journal).bury(replace(RUN, id="the next"))

    (dead,) = journal.runs(ALICE, limit=9)
    assert dead.outcome is Outcome.FAILED
    assert dead.message == "killed: the process 1 of this run ended without a word"
