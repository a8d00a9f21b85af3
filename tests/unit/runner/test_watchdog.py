"""The thread that ends runs, with runs that are none."""

import socket
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from unstoppable.domain.limit_errors import RanTooLong, RunStopped
from unstoppable.domain.names import ResourceName
from unstoppable.domain.progress import Progress
from unstoppable.engine import Cancel, Watch
from unstoppable.runner.activity import Activity
from unstoppable.runner.watchdog import Patience, Watchdog

ACME = ResourceName.parse("acme/www")
QUICK = Patience(grace=timedelta(seconds=0.2), look_seconds=0.01, hour=timedelta(seconds=0.1))


def watching(cancel: Cancel, kill: "Killing", patience: Patience = QUICK) -> Watchdog:
    return Watchdog(ACME, cancel, patience, kill=kill, sign=lambda: None)


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
    with watching(cancel, kill) as watchdog:
        watchdog.allow(1000)
        time.sleep(0.1)

    assert not cancel.is_set()
    assert watchdog.error() is None


def test_one_that_takes_too_long_is_asked_to_stop_and_told_why(kill):
    cancel = Cancel()
    with watching(cancel, kill) as watchdog:
        watchdog.allow(1)
        assert wait(cancel)

    error = watchdog.error("snapshot 1a was kept")
    assert isinstance(error, RanTooLong)
    assert str(error).endswith("; snapshot 1a was kept")
    assert kill.why == []


def test_without_a_limit_it_may_take_any_time(kill):
    cancel = Cancel()
    with watching(cancel, kill) as watchdog:
        watchdog.allow(None)

        assert not wait(cancel, 0.3)


def test_one_that_does_not_stop_is_killed(kill):
    with watching(Cancel(), kill) as watchdog:
        watchdog.allow(1)

        assert kill.is_done.wait(5)
        assert str(kill.why[0]).endswith("; it did not end within 0 s and was killed")


def test_one_that_somebody_cancelled_is_no_longer_waited_for(kill):
    cancel = Cancel()
    cancel.set()
    with watching(cancel, kill) as watchdog:
        watchdog.allow(1)
        time.sleep(0.5)

    assert watchdog.error() is None
    assert kill.why == []


STANDING = Patience(grace=timedelta(seconds=9), look_seconds=0.01, stall=timedelta(seconds=0.3))


def progress(done: int) -> Progress:
    return Progress(
        phase="working", bytes_done=done, bytes_total=None, entries_done=0, entries_total=None
    )


def test_one_that_moves_nothing_is_asked_to_stop(kill):
    cancel = Cancel()
    with watching(cancel, kill, STANDING) as watchdog:
        assert wait(cancel)

    assert str(watchdog.error()) == (
        "stopped acme/www: for 0 s not a byte was read, stored or listed; nothing was stored"
    )


def test_one_that_reads_is_left_alone(kill):
    cancel = Cancel()
    shown: list[Progress] = []
    with watching(cancel, kill, STANDING) as watchdog:
        followed = watchdog.following(Watch(cancel=cancel, progress=shown.append))
        for done in range(20):
            followed.progress(progress(done))
            time.sleep(0.05)

    assert not cancel.is_set()
    assert len(shown) == 20


def test_what_is_told_meanwhile_counts_for_nothing(kill, tmp_path):
    cancel = Cancel()
    with (tmp_path / "log").open("wb") as log, watching(cancel, kill, STANDING) as watchdog:

        def tell(_progress: Progress) -> None:
            log.write(bytes(1 << 20))
            log.flush()

        followed = watchdog.following(Watch(cancel=cancel, progress=tell))
        until = time.monotonic() + 5
        while not cancel.is_set() and time.monotonic() < until:
            followed.progress(progress(1))
            time.sleep(0.02)

    assert cancel.is_set()


def test_one_that_sends_over_a_slow_line_is_left_alone(kill):
    cancel = Cancel()
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with line, other, watching(cancel, kill, STANDING):
            for _ in range(20):
                line.sendall(b"x")
                other.recv(1)
                time.sleep(0.05)

    assert not cancel.is_set()


def test_one_that_writes_is_left_alone(kill, tmp_path):
    cancel = Cancel()
    with (tmp_path / "pack").open("wb") as pack, watching(cancel, kill, STANDING):
        for _ in range(20):
            pack.write(bytes(1 << 16))
            pack.flush()
            time.sleep(0.05)

    assert not cancel.is_set()


def test_what_it_was_halted_for_does_not_count(kill, monkeypatch):
    cancel, real, skipped = Cancel(), time.monotonic, [0.0]
    monkeypatch.setattr("unstoppable.runner.watchdog.time.monotonic", lambda: real() + skipped[0])
    with watching(cancel, kill, replace(STANDING, stall=timedelta(seconds=100))):
        for _ in range(5):
            skipped[0] += 61
            time.sleep(0.05)

    assert not cancel.is_set()


def test_looking_leaves_no_descriptor_open():
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    activity, pair = Activity(), socket.socketpair()
    before = descriptors()
    for _ in range(10):
        activity.moved()

    assert descriptors() == before
    for one in pair:
        one.close()
