"""What is told of runs while they begin and end."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.runner.record import record
from unstoppable.cli.records import at_once, outcome
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import RunRecord

GOES_ON, ENDED = record("a", None), record("a")


def one_by_one(*found: str | None) -> Callable[[], str | None]:
    """Return who tells the holder of a lane, another one each time, the last one for ever."""
    left: Iterator[str | None] = iter(found)
    return lambda: next(left, found[-1])


@pytest.mark.parametrize(
    ("readings", "holders", "told"),
    [
        ([GOES_ON], ["a"], "running"),
        ([GOES_ON], [None], "killed"),
        ([GOES_ON], ["b"], "killed"),
        ([GOES_ON, ENDED], [None], Outcome.SUCCEEDED),
        ([GOES_ON, ENDED], ["b"], Outcome.SUCCEEDED),
        ([GOES_ON, GOES_ON], [None, "a"], "running"),
    ],
)
def test_a_run_that_begins_or_ends_while_somebody_looks_is_not_called_killed(
    readings, holders, told
):
    left = iter(readings)

    def read() -> list[RunRecord]:
        return [next(left, readings[-1])]

    [found], holder = at_once(read, one_by_one(*holders))

    assert outcome(found, holder=holder) == told
