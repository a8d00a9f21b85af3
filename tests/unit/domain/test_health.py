"""Who needs somebody."""

from datetime import UTC, datetime, timedelta

import pytest

from unstoppable.domain.health import health
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.schedule import Schedule

DAILY = Schedule.parse("0 2 * * *")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WWW = ResourceName(customer="acme", resource="www")


def run(hours_ago: float, outcome: Outcome | None, message: str | None = None) -> RunRecord:
    started = NOW - timedelta(hours=hours_ago)
    found = Run(id=str(started), resource=WWW, slot_at=started, started_at=started, pid=1)
    return RunRecord(run=found, ended_at=started, outcome=outcome, message=message)


@pytest.mark.parametrize(
    ("runs", "need"),
    [
        ([], "it was never backed up"),
        ([run(10, Outcome.SUCCEEDED)], None),
        ([run(0.1, None), run(10, Outcome.SUCCEEDED)], None),
        ([run(0.1, Outcome.SKIPPED), run(10, Outcome.SUCCEEDED)], None),
        ([run(10, Outcome.PARTIAL, "3 paths")], "the last run partial: 3 paths"),
        ([run(10, Outcome.FAILED, "no"), run(34, Outcome.SUCCEEDED)], "the last run failed: no"),
        ([run(34, Outcome.SUCCEEDED)], None),
        ([run(35, Outcome.SUCCEEDED)], "nothing was stored since it was due at 2026-11-23 02:00"),
        ([run(0.1, Outcome.SKIPPED)], "it was never backed up"),
        (
            [run(n / 10, Outcome.SKIPPED) for n in range(200)] + [run(21, Outcome.SUCCEEDED)],
            None,
        ),
    ],
)
def test_who_needs_somebody_is_told_why(runs, need):
    found = health(runs, DAILY, NOW).need

    assert (found is None) if need is None else (found or "").startswith(need)


def test_a_yearly_backup_is_not_late_for_a_year():
    yearly = Schedule.parse("0 0 1 1 *")

    assert health([run(24 * 300, Outcome.SUCCEEDED)], yearly, NOW).need is None
    assert health([run(24 * 800, Outcome.SUCCEEDED)], yearly, NOW).need


def test_one_that_is_never_due_is_never_late():
    rare = Schedule.parse("0 0 29 2 *")

    assert health([run(24 * 700, Outcome.SUCCEEDED)], rare, NOW).need is None


@pytest.mark.parametrize("skipped", [0, 100])
def test_a_run_that_was_killed_is_told_however_many_were_skipped_since(skipped):
    since = [run(n / 100, Outcome.SKIPPED) for n in range(skipped)]
    runs = [*since, run(2, None), run(10, Outcome.SUCCEEDED)]

    assert health(runs, DAILY, NOW, is_running=False).need == "the last run was killed"
    assert health(runs, DAILY, NOW, is_running=True).need is None
