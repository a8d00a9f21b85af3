"""A program that records runs and kills itself before the given line that it would execute.

usage: python -m tests.unit.runner.killed STATE LINE [clerk]

With `clerk` runs are recorded by their clerks, each of which ends itself before its own such line.
It tells each run once its record is written, and at the end how many lines there were.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.unit.runner.record import MAIL, record
from unstoppable.domain.errors import JournalUnusable
from unstoppable.domain.outcome import Outcome
from unstoppable.runner import aside, clerk, emitter_file, files, journal, signing
from unstoppable.runner.journal import Journal

WATCHED = {module.__file__ for module in (aside, clerk, emitter_file, files, journal, signing)}
RUNS = (
    record("one", None),
    record("one"),
    record("two", None),
    record("two", Outcome.FAILED),
    record("skipped", Outcome.SKIPPED, MAIL),
    record("three", None),
    record("three", Outcome.PARTIAL),
)


class Killer:
    """Counts lines and ends the process at one of them."""

    def __init__(self, last_line: int) -> None:
        self.lines, self._last_line = 0, last_line

    def calls(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self.line if frame.f_code.co_filename in WATCHED else None

    def line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event in {"line", "return"}:
            self.lines += 1
            if self.lines == self._last_line:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.line


def main(state: Path, last_line: int) -> None:
    killer = Killer(last_line)
    written = Journal(state)
    sys.settrace(killer.calls)
    for one in RUNS:
        written.write(one)
        if one.outcome is not None:
            print(one.run.id, flush=True)  # noqa: T201
    sys.settrace(None)
    print(killer.lines)  # noqa: T201


def main_with_clerks(state: Path, last_line: int) -> None:
    sys.settrace(Killer(last_line).calls)
    for end in RUNS[1:4:2]:
        with clerk.beside(state, end.run) as mine:
            mine.write(record(end.run.id, None))
            mine.write(end)
            print(end.run.id, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        run = main_with_clerks if sys.argv[3:] else main
        run(Path(sys.argv[1]), int(sys.argv[2]))
    except JournalUnusable:
        sys.exit(1)
