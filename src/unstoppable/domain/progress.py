"""How fast work goes and how long it still takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

WINDOW_SECONDS = 30
"""Long enough that one large file does not make the time left jump, short enough to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call of the engine is; a total is None while unknown."""

    phase: str
    bytes_done: int
    bytes_total: int | None
    entries_done: int
    entries_total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How much was done at a moment of some clock that never goes back."""

    at_seconds: float
    bytes_done: int


def recent(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of the last window, and the one before it so that it is spanned."""
    if not samples:
        return []
    begin = samples[-1].at_seconds - WINDOW_SECONDS
    older = sum(sample.at_seconds < begin for sample in samples)
    return list(samples[max(0, older - 1) :])


def bytes_per_second(samples: Sequence[Sample]) -> float | None:
    """Return the speed over the samples, oldest first; None while there is nothing to tell."""
    if not samples:
        return None
    passed = samples[-1].at_seconds - samples[0].at_seconds
    done = samples[-1].bytes_done - samples[0].bytes_done
    return done / passed if passed > 0 and done >= 0 else None


def time_left(progress: Progress, speed: float | None) -> timedelta | None:
    """Return how long the rest takes at `speed`; None while that cannot be known."""
    if progress.bytes_total is None or not speed:
        return None
    return timedelta(seconds=max(0, progress.bytes_total - progress.bytes_done) / speed)
