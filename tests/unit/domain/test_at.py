from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.at import choose
from unstoppable.domain.errors import MomentInvalid, SnapshotAmbiguous, SnapshotUnknown
from unstoppable.domain.names import ResourceName
from unstoppable.domain.snapshot import Snapshot

ALICE = ResourceName(customer="alice", resource="www")
BERLIN_IN_WINTER = timezone(timedelta(hours=1))


def snapshot(identity: str, time: datetime, *tags: str, run: str = "") -> Snapshot:
    return Snapshot(
        id=identity.ljust(64, "0"),
        time=time,
        customer="alice",
        resource="www",
        tags=tags,
        run_id=run,
        files_total=1,
        bytes_total=1,
    )


def day(number: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def chosen(at: str, *snapshots: Snapshot) -> str:
    found = choose(
        snapshots, at, resource=ALICE, localize=lambda t: t.replace(tzinfo=BERLIN_IN_WINTER)
    )
    return found.id.rstrip("0")


MONDAY = snapshot("aaaa1", day(2))
TUESDAY = snapshot("aaaa2", day(3))
CUT_OFF = snapshot("bbbb", day(4), "incomplete")
PARTIAL = snapshot("cccc", day(5), "partial")


def test_latest_is_the_newest_that_is_not_incomplete():
    assert chosen("latest", TUESDAY, MONDAY, CUT_OFF) == "aaaa2"
    assert chosen("latest", MONDAY, PARTIAL, CUT_OFF) == "cccc"


def test_of_two_in_one_second_the_later_run_is_the_latest():
    first, second = snapshot("f", day(2), run="1"), snapshot("e", day(2), run="2")

    assert chosen("latest", second, first) == "e"


def test_an_incomplete_snapshot_is_chosen_by_its_id_alone():
    assert chosen("BBBB", MONDAY, CUT_OFF) == "bbbb"
    with pytest.raises(SnapshotUnknown):
        chosen("latest", CUT_OFF)


def test_a_short_id_must_mean_one_snapshot():
    assert chosen("aaaa1", MONDAY, TUESDAY) == "aaaa1"
    with pytest.raises(SnapshotAmbiguous):
        chosen("aaaa", MONDAY, TUESDAY)
    with pytest.raises(SnapshotUnknown):
        chosen("dddd", MONDAY, TUESDAY)


def test_a_day_means_its_end_in_the_readers_zone():
    just_before_midnight = snapshot("f", datetime(2026, 11, 2, 22, 59, 59, tzinfo=UTC))
    at_midnight = snapshot("e", datetime(2026, 11, 2, 23, tzinfo=UTC))

    assert chosen("2026-11-02", just_before_midnight, at_midnight) == "f"


@pytest.mark.parametrize(
    "at",
    ["2026-11-02 13:00", "2026-11-02T13:00:00", "2026-11-02T12:00Z", "2026-11-02 12:00+00:00"],
)
def test_a_moment_means_the_newest_at_or_before_it(at):
    assert chosen(at, MONDAY, TUESDAY) == "aaaa1"


def test_before_the_first_snapshot_there_is_nothing():
    with pytest.raises(SnapshotUnknown):
        chosen("2026-11-01", MONDAY)


@pytest.mark.parametrize("at", ["", "yesterday", "abc", "2026-13-01", "9999-12-31", "x" * 70])
def test_what_means_nothing_is_told(at):
    with pytest.raises((MomentInvalid, SnapshotUnknown)):
        chosen(at)


@given(hours=st.lists(st.integers(0, 23), min_size=1), wanted=st.integers(0, 23))
def test_no_snapshot_after_the_moment_is_ever_chosen(hours, wanted):
    made = [snapshot(f"{i:04}", day(2, hour), run=f"{i:04}") for i, hour in enumerate(hours)]
    at = day(2, wanted).isoformat()
    before = [hour for hour in hours if hour <= wanted]

    if before:
        found = choose(made, at, resource=ALICE, localize=lambda t: t)
        assert found.time == day(2, max(before))
    else:
        with pytest.raises(SnapshotUnknown):
            choose(made, at, resource=ALICE, localize=lambda t: t)
