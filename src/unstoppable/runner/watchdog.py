"""A thread beside a run that ends it where it takes too long."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from unstoppable.domain.limit_errors import RanTooLong, RunStopped
from unstoppable.domain.names import ResourceName
from unstoppable.domain.text import duration
from unstoppable.engine import Cancel

NOTHING_KEPT = "nothing was stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a run is waited for."""

    grace: timedelta = timedelta(minutes=2)
    """How long it may take to end once it was told to."""
    look_seconds: float = 5.0
    """How often somebody looks."""
    hour: timedelta = timedelta(hours=1)
    """Tests have shorter ones."""


PATIENCE = Patience()
"""What holds; looked up when a run begins."""


class Watchdog:
    """Wishes that a run stops where it takes too long, and kills one that does not.

    The run ends as the wish has it, with what was kept; `error` then tells why it stopped.
    """

    def __init__(
        self,
        resource: ResourceName,
        cancel: Cancel,
        kill: Callable[[RunStopped], None],
        patience: Patience,
    ) -> None:
        self._resource, self._cancel, self._kill = resource, cancel, kill
        self._patience = patience
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

    def error(self, kept: str = NOTHING_KEPT) -> RunStopped | None:
        """Return why the run was stopped, where it was stopped here; `kept` says what it left."""
        return None if self._cause is None else self._cause(kept)

    def _watch(self) -> None:
        killed_at = float("inf")
        while not self._is_over.wait(self._patience.look_seconds):
            now = time.monotonic()
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
        return None

    def _end(self, cause: Callable[[str], RunStopped] | None) -> None:
        grace = duration(self._patience.grace)
        with self._lock:
            if cause is not None and not self._is_over.is_set():
                self._kill(cause(f"it did not end within {grace} and was killed"))
