"""Runs for the tests of the journal, and processes that record some."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import EXIT_CODES, Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.runner.journal import Journal

ALICE = ResourceName(customer="alice", resource="www")
MAIL = ResourceName(customer="alice", resource="mail")
BOB = ResourceName(customer="bob", resource="www")
BEGAN = datetime(2026, 11, 24, tzinfo=UTC)


def record(
    name: str, outcome: Outcome | None = Outcome.SUCCEEDED, resource: ResourceName = ALICE
) -> RunRecord:
    """Return the record of a run, going on where it has no outcome."""
    run = Run(id=name, resource=resource, slot_at=BEGAN, started_at=BEGAN, pid=1)
    if outcome is None:
        return RunRecord(run=run)
    return RunRecord(
        run=run,
        ended_at=BEGAN + timedelta(minutes=1),
        outcome=outcome,
        exit_code=EXIT_CODES[outcome],
        snapshot_id="f" * 64 if outcome is Outcome.SUCCEEDED else None,
    )


def start(*arguments: object, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start this module as a program, without measuring coverage: it may be killed."""
    return subprocess.Popen(
        (sys.executable, "-m", "tests.unit.runner.record", *map(str, arguments)),
        env={name: value for name, value in environment.items() if "COVERAGE" not in name},
        cwd=Path(__file__).parents[3],
        text=True,
    )


def write_many(state: Path, name: str, number: int) -> None:
    """Record so many runs."""
    journal = Journal(state)
    for one in range(number):
        journal.write(record(f"{name}-{one}", None))
        journal.write(record(f"{name}-{one}"))


if __name__ == "__main__":
    write_many(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
