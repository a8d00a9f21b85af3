import os
import signal

import pytest

from unstoppable.cli.watch import _Lines, _Pace, interruptible, showing, stoppable
from unstoppable.domain.errors import ReadingCancelled
from unstoppable.domain.names import ResourceName
from unstoppable.domain.progress import Progress

HALF = Progress(
    phase="working", bytes_done=512, bytes_total=1024, entries_done=1234, entries_total=None
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_wish_to_stop_and_are_given_back_afterwards(number):
    before = signal.getsignal(number)

    with stoppable() as cancel:
        assert not cancel.is_set()
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert cancel.is_set()

    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_may_stop_at_once_is_cancelled_by_signals(number):
    before = signal.getsignal(number)
    resource = ResourceName(customer="acme", resource="www")

    with pytest.raises(ReadingCancelled), interruptible(resource):
        os.kill(os.getpid(), number)

    assert signal.getsignal(number) is before


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch, capsys):
    seconds = iter([0.0, 5.0, 5.0, 12.0, 12.0, 12.0])
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    pace = _Pace(_Lines("read"))

    pace.show(
        Progress(phase="", bytes_done=0, bytes_total=None, entries_done=0, entries_total=None)
    )
    pace.show(HALF)

    assert capsys.readouterr().err == ("read 512 B of 1.0 KiB, 1,234 entries, 73 B/s, 7 s left\n")


def test_what_a_scheduler_started_says_nothing_of_its_progress(monkeypatch, capsys):
    monkeypatch.setattr("unstoppable.cli.watch._LINE_EVERY_SECONDS", 0)

    with stoppable() as cancel, showing("read", cancel, in_logs=False) as shown:
        shown.progress(HALF)

    assert capsys.readouterr() == ("", "")


def test_a_terminal_that_went_away_stops_no_work():
    class Gone:
        shown = 0

        def show(self, _progress: Progress, _speed: float | None) -> None:
            self.shown += 1
            raise BrokenPipeError

        def close(self) -> None: ...

    gone = Gone()
    pace = _Pace(gone)

    pace.show(HALF)
    pace.show(HALF)

    assert gone.shown == 1


def test_a_short_call_without_a_terminal_says_nothing(capsys):
    with stoppable() as cancel, showing("read", cancel) as shown:
        shown.progress(HALF)

    assert capsys.readouterr() == ("", "")
