from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.rotation import Part, part_of_day

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(st.integers(1, 100), st.datetimes(timezones=st.just(UTC)))
def test_one_more_day_than_there_are_parts_reads_each_part(percent, now):
    count = part_of_day(percent, datetime(2026, 1, 1, tzinfo=UTC)).count
    first = min(now, datetime(9999, 1, 1, tzinfo=UTC))

    days = [part_of_day(percent, first + timedelta(days=day)) for day in range(count + 1)]

    assert {part.number for part in days} == set(range(1, count + 1))


@pytest.mark.parametrize("step", [2, 5, 7])
@pytest.mark.parametrize("percent", [1, 4, 5, 15, 33, 50])
def test_a_check_every_few_days_comes_to_every_part(percent, step):
    parts = [part_of_day(percent, NOON + timedelta(days=day)) for day in range(0, 11_000, step)]

    assert len({part.number for part in parts}) == parts[0].count


@pytest.mark.parametrize(("percent", "count"), [(1, 100), (5, 20), (30, 4), (99, 2), (100, 1)])
def test_a_part_is_never_larger_than_was_asked_for(percent, count):
    part = part_of_day(percent, NOON)

    assert part.count == count
    assert part.is_all == (count == 1)


def test_the_day_is_that_of_utc_whatever_zone_the_clock_has():
    late_in_tokyo = datetime(2026, 11, 25, 1, tzinfo=timezone(timedelta(hours=9)))

    assert part_of_day(5, late_in_tokyo) == part_of_day(5, NOON) == Part(number=3, count=20)
