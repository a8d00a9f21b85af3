from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.progress import (
    WINDOW_SECONDS,
    Progress,
    Sample,
    bytes_per_second,
    recent,
    time_left,
)


def at(seconds: float, bytes_done: int) -> Sample:
    return Sample(at_seconds=seconds, bytes_done=bytes_done)


def progress(done: int, total: int | None) -> Progress:
    return Progress(
        phase="working", bytes_done=done, bytes_total=total, entries_done=0, entries_total=None
    )


def test_the_speed_is_that_of_the_last_window():
    samples: list[Sample] = []
    for second in range(100):
        samples = recent([*samples, at(second, 100 * second if second < 50 else 5000)])

    assert bytes_per_second(samples) == 0
    assert len(samples) <= WINDOW_SECONDS + 2


def test_nothing_is_told_before_there_is_something_to_tell():
    assert bytes_per_second([]) is None
    assert bytes_per_second([at(1, 0)]) is None
    assert time_left(progress(5, None), 1.0) is None
    assert time_left(progress(5, 10), None) is None
    assert time_left(progress(5, 10), 0.0) is None


def test_time_left_is_what_is_left_by_the_speed():
    assert time_left(progress(5, 10), 2.5) == timedelta(seconds=2)
    assert time_left(progress(11, 10), 2.5) == timedelta(0)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2**50))))
def test_the_last_sample_is_always_kept(pairs):
    samples = [at(seconds, done) for seconds, done in sorted(pairs)]

    kept = recent(samples)

    assert kept[-1:] == samples[-1:]
    speed = bytes_per_second(kept)
    assert speed is None or speed >= 0
