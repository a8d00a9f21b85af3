"""Following a long call: signals that stop it and progress on stderr."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from unstoppable.cli import output
from unstoppable.domain import progress as rules
from unstoppable.domain.errors import ReadingCancelled
from unstoppable.domain.names import ResourceName
from unstoppable.domain.progress import Progress, Sample
from unstoppable.domain.text import duration, rate, size
from unstoppable.engine import Cancel, Watch

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LINE_EVERY_SECONDS = 10.0


@contextmanager
def stoppable() -> Iterator[Cancel]:
    """Turn signals to stop into a wish; a second one wishes the same again."""
    cancel = Cancel()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        cancel.set()

    with _handling(stop):
        yield cancel


@contextmanager
def interruptible(resource: ResourceName) -> Iterator[None]:
    """Turn signals to stop into ReadingCancelled at once: nothing begun has to be completed.

    Unlike a wish it ends the waiting for a reader as well who takes nothing.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise ReadingCancelled(resource=resource)

    with _handling(stop):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _STOPPING}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def showing(verb: str, cancel: Cancel, *, in_logs: bool = True) -> Iterator[Watch]:
    """Show how far a call is, on stderr; `verb` says what happens to the bytes.

    Without `in_logs` on a terminal alone: cron mails each line.
    """
    display: _Display = _Silence()
    if sys.stderr.isatty():
        display = _Bar(verb)
    elif in_logs:
        display = _Lines(verb)
    try:
        yield Watch(cancel=cancel, progress=_Pace(display).show)
    finally:
        display.close()


class _Display(Protocol):
    def show(self, progress: Progress, speed: float | None) -> None: ...
    def close(self) -> None: ...


class _Pace:
    """Knows the speed of a call and tells a display."""

    def __init__(self, display: _Display) -> None:
        self._display = display
        self._samples: list[Sample] = []
        self._is_deaf = False

    def show(self, progress: Progress) -> None:
        """Show how far the call is; a terminal that went away must not stop a backup."""
        sample = Sample(at_seconds=time.monotonic(), bytes_done=progress.bytes_done)
        self._samples = rules.recent([*self._samples, sample])
        if self._is_deaf:
            return
        try:
            self._display.show(progress, rules.bytes_per_second(self._samples))
        except OSError:
            self._is_deaf = True


def _state(verb: str, progress: Progress, speed: float | None) -> str:
    """Return one line such as `read 1.2 GiB of 3.4 GiB, 1,234 files, 80.0 MiB/s, 28 s left`."""
    total = "" if progress.bytes_total is None else f" of {size(progress.bytes_total)}"
    parts = [f"{verb} {size(progress.bytes_done)}{total}", f"{progress.entries_done:,} entries"]
    if speed is not None:
        parts.append(rate(speed))
    left = rules.time_left(progress, speed)
    if left is not None:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


class _Silence:
    def show(self, progress: Progress, speed: float | None) -> None: ...
    def close(self) -> None: ...


class _Lines:
    """Plain lines, for logs."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._next_at = time.monotonic() + _LINE_EVERY_SECONDS

    def show(self, progress: Progress, speed: float | None) -> None:
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _LINE_EVERY_SECONDS
            output.say(_state(self._verb, progress, speed))

    def close(self) -> None:
        """Nothing stays on the screen."""


class _Bar:
    """A bar on a terminal that leaves nothing behind."""

    def __init__(self, verb: str) -> None:
        # Rich takes a tenth of a second to import, which a run without a terminal can do without.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, SpinnerColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        self._verb = verb
        columns = SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}")
        console = Console(file=sys.stderr)
        self._bar = RichProgress(*columns, console=console, transient=True, auto_refresh=False)
        self._task = self._bar.add_task("…", total=None)
        self._bar.start()

    def show(self, progress: Progress, speed: float | None) -> None:
        self._bar.update(
            self._task,
            description=_state(self._verb, progress, speed),
            completed=progress.bytes_done,
            total=progress.bytes_total,
            refresh=True,
        )

    def close(self) -> None:
        try:
            self._bar.stop()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
