"""A thread beside a run that ends it where it takes too long, or stands still."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from unstoppable.domain.limit_errors import RanTooLong, RunStopped, StoodStill
from unstoppable.domain.names import ResourceName
from unstoppable.domain.progress import Progress
from unstoppable.domain.text import duration
from unstoppable.engine import Cancel, Watch
from unstoppable.runner.activity import Activity

_HALTED_SECONDS = 60.0
"""A process that did not even look for so long was halted: that is no standing still."""
NOTHING_KEPT = "nothing was stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a run is waited for."""

    stall: timedelta = timedelta(minutes=30)
    """How long it may move nothing, or give no sign of life to who started it."""
    secrets: timedelta = timedelta(minutes=5)
    """How long its secrets may take to be read."""
    grace: timedelta = timedelta(minutes=2)
    """How long it may take to end once it was told to."""
    look_seconds: float = 5.0
    """How often somebody looks."""
    hour: timedelta = timedelta(hours=1)
    """Tests have shorter ones."""


PATIENCE = Patience()
"""What holds; looked up when a run begins."""


class Stillness:
    """How long nothing happened; the time in which this process was halted does not count.

    A frozen container halts a run together with whoever started it.
    """

    def __init__(self) -> None:
        self._since = self._looked_at = time.monotonic()

    def end(self) -> None:
        """Something happened."""
        self._since = self._looked_at = time.monotonic()

    def seconds(self) -> float:
        """Return for how long nothing has; to be asked now and then, to notice a halt."""
        now = time.monotonic()
        if now - self._looked_at > _HALTED_SECONDS:
            self._since += now - self._looked_at
        self._looked_at = now
        return now - self._since


class Watchdog:
    """Wishes that a run stops where it takes too long or stands still; kills one that does not.

    The run ends as the wish has it, with what was kept; `error` then tells why it stopped.
    """

    def __init__(
        self,
        resource: ResourceName,
        cancel: Cancel,
        patience: Patience,
        *,
        kill: Callable[[RunStopped], None],
        sign: Callable[[], None],
    ) -> None:
        self._resource, self._cancel, self._kill, self._sign = resource, cancel, kill, sign
        self._patience, self._activity = patience, Activity()
        self._moved, self._stillness = self._activity.moved(), Stillness()
        self._longest: timedelta | None = None
        self._began = time.monotonic()
        self._cause: Callable[[str], RunStopped] | None = None
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        """Whoever has it decides whether the run ended or was killed."""
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Watch no longer: the run ended, and what it came to stands."""
        self._is_over.set()
        with self._lock:
            pass

    def allow(self, hours: int | None) -> None:
        """Let the run take so long as a whole; None lets it take any time."""
        self._longest = None if hours is None else hours * self._patience.hour

    def following(self, watch: Watch) -> Watch:
        """Return who follows a call, and have this one follow it as well."""

        def show(progress: Progress) -> None:
            watch.progress(progress)
            self._activity.note(progress)

        return Watch(cancel=watch.cancel, progress=show)

    def error(self, kept: str = NOTHING_KEPT) -> RunStopped | None:
        """Return why the run was stopped, where it was stopped here; `kept` says what it left."""
        return None if self._cause is None else self._cause(kept)

    def _watch(self) -> None:
        killed_at = float("inf")
        while not self._is_over.wait(self._patience.look_seconds):
            self._sign()
            now = time.monotonic()
            moved = self._activity.moved()
            if moved != self._moved:
                self._moved = moved
                self._stillness.end()
            if now >= killed_at:
                self._end(self._cause)
                return
            if self._cause is None and not self._cancel.is_set():
                self._cause = self._why(now)
                if self._cause is not None:
                    self._cancel.set()
                    killed_at = now + self._patience.grace.total_seconds()

    def _why(self, now: float) -> Callable[[str], RunStopped] | None:
        """Return why the run has to stop; None where it may go on."""
        longest = self._longest
        if longest is not None and now - self._began > longest.total_seconds():
            return lambda kept: RanTooLong(
                resource=self._resource, limit=duration(longest), kept=kept
            )
        stall = self._patience.stall
        if self._stillness.seconds() > stall.total_seconds():
            return lambda kept: StoodStill(
                resource=self._resource, limit=duration(stall), kept=kept
            )
        return None

    def _end(self, cause: Callable[[str], RunStopped] | None) -> None:
        grace = duration(self._patience.grace)
        with self._lock:
            if cause is not None and not self._is_over.is_set():
                self._kill(cause(f"it did not end within {grace} and was killed"))
