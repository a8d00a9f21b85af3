"""The thread that ends runs, with runs that are none."""

import threading
import time
from datetime import timedelta

import pytest

from unstoppable.domain.limit_errors import RanTooLong, RunStopped
from unstoppable.domain.names import ResourceName
from unstoppable.engine import Cancel
from unstoppable.runner.watchdog import Patience, Watchdog

ACME = ResourceName.parse("acme/www")
QUICK = Patience(grace=timedelta(seconds=0.2), look_seconds=0.01, hour=timedelta(seconds=0.1))


class Killing:
    def __init__(self) -> None:
        self.why: list[RunStopped] = []
        self.is_done = threading.Event()

    def __call__(self, why: RunStopped) -> None:
        self.why.append(why)
        self.is_done.set()


@pytest.fixture
def kill():
    return Killing()


def wait(cancel: Cancel, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not cancel.is_set() and time.monotonic() < until:
        time.sleep(0.01)
    return cancel.is_set()


def test_a_run_that_ends_in_time_is_left_alone(kill):
    cancel = Cancel()
    with Watchdog(ACME, cancel, kill, QUICK) as watchdog:
        watchdog.allow(1000)
        time.sleep(0.1)

    assert not cancel.is_set()
    assert watchdog.error() is None


def test_one_that_takes_too_long_is_asked_to_stop_and_told_why(kill):
    cancel = Cancel()
    with Watchdog(ACME, cancel, kill, QUICK) as watchdog:
        watchdog.allow(1)
        assert wait(cancel)

    error = watchdog.error("snapshot 1a was kept")
    assert isinstance(error, RanTooLong)
    assert str(error).endswith("; snapshot 1a was kept")
    assert kill.why == []


def test_without_a_limit_it_may_take_any_time(kill):
    cancel = Cancel()
    with Watchdog(ACME, cancel, kill, QUICK) as watchdog:
        watchdog.allow(None)

        assert not wait(cancel, 0.3)


def test_one_that_does_not_stop_is_killed(kill):
    with Watchdog(ACME, Cancel(), kill, QUICK) as watchdog:
        watchdog.allow(1)

        assert kill.is_done.wait(5)
        assert str(kill.why[0]).endswith("; it did not end within 0 s and was killed")


def test_one_that_somebody_cancelled_is_no_longer_waited_for(kill):
    cancel = Cancel()
    cancel.set()
    with Watchdog(ACME, cancel, kill, QUICK) as watchdog:
        watchdog.allow(1)
        time.sleep(0.5)

    assert watchdog.error() is None
    assert kill.why == []
