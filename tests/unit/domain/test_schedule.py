"""Slots are neither lost nor doubled, whatever the clocks do."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from unstoppable.domain.errors import ScheduleInvalid
from unstoppable.domain.schedule import Due, Schedule, Span, due

DAY = timedelta(days=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


def at(text: str) -> datetime:
    """Return the moment written as `text`, UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def slots(schedule: str, first: str, last: str) -> list[str]:
    """Return the slots as the schedule's own clock shows them, with its offset."""
    parsed = Schedule.parse(schedule)
    zone = ZoneInfo(parsed.zone)
    found = parsed.slots(after=at(first), until=at(last))
    return [f"{slot.astimezone(zone):%d %H:%M%z}" for slot in found]


def test_a_slot_comes_after_the_first_moment_and_up_to_the_last():
    assert slots("0 2 * * *", "2026-11-24T02:00", "2026-11-26T02:00") == [
        "25 02:00+0000",
        "26 02:00+0000",
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("30 1 * * * Europe/Berlin", ["29 01:30+0100"]),
        ("30 2 * * * Europe/Berlin", ["29 03:00+0200"]),
        ("0 3 * * * Europe/Berlin", ["29 03:00+0200"]),
        ("30 2,3 * * * Europe/Berlin", ["29 03:00+0200", "29 03:30+0200"]),
        ("0 2,3 * * * Europe/Berlin", ["29 03:00+0200"]),
        (
            "*/30 1-3 * * * Europe/Berlin",
            ["29 01:00+0100", "29 01:30+0100", "29 03:00+0200", "29 03:30+0200"],
        ),
    ],
)
def test_what_the_clock_leaves_out_comes_at_once_and_never_twice(schedule, expected):
    assert slots(schedule, "2026-03-28T23:30", "2026-03-29T03:00") == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("30 2 * * * Europe/Berlin", ["25 02:30+0200"]),
        ("0 3 * * * Europe/Berlin", ["25 03:00+0100"]),
        (
            "30 * * * * Europe/Berlin",
            ["25 01:30+0200", "25 02:30+0200", "25 02:30+0100", "25 03:30+0100"],
        ),
        ("*/60 2 * * * Europe/Berlin", ["25 02:00+0200", "25 02:00+0100"]),
    ],
)
def test_what_the_clock_shows_twice_comes_once_unless_every_hour_is_meant(schedule, expected):
    assert slots(schedule, "2026-10-24T23:00", "2026-10-25T03:00") == expected


def any_schedule(chance: random.Random) -> Schedule:
    """Return a schedule that is due at least once a week."""
    minute = chance.choice(["*/15", "*/7", "0", str(chance.randrange(60)), "5,35"])
    hours = ["*", "*/4", str(chance.randrange(24)), "1-3", "2,3", "0,12"]
    days = chance.choice(["*", "*", "1-5", "0", "SUN,WED"])
    return Schedule.parse(f"{minute} {chance.choice(hours)} * * {days} {chance.choice(ZONES)}")


@pytest.mark.parametrize("number", range(50))
def test_two_years_of_ticks_lose_no_slot_and_double_none(number):
    chance = random.Random(number)  # noqa: S311
    schedule = any_schedule(chance)
    first, last = at("2026-01-01"), at("2028-01-01")
    at_once = list(schedule.slots(after=first, until=last))

    ticked: list[datetime] = []
    now = first
    while now < last:
        # Ticks come each minute; most of the time nothing is due, and hours may pass in one go.
        step = timedelta(minutes=chance.choice([1, 59, 61, 1441, 4321, 10_081]))
        then = min(now + step, last)
        ticked += schedule.slots(after=now, until=then)
        now = then

    assert ticked == at_once
    assert at_once == sorted(set(at_once))
    assert all(one - other <= 8 * DAY for other, one in pairwise(at_once))
    assert not {slot for slot in at_once if slot.second or slot.microsecond}


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_slot_comes_on_every_day_of_its_own_calendar(zone):
    schedule = Schedule.parse(f"30 2 * * * {zone}")
    found = schedule.slots(after=at("2026-01-01"), until=at("2028-01-01"))
    days = [slot.astimezone(ZoneInfo(zone)).date() for slot in found]

    assert all(one - other == DAY for other, one in pairwise(days))
    assert len(days) >= 729


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it needs five fields"),
        ("* * * *", "it needs five fields"),
        ("61 * * * *", "minute is wrong"),
        ("* * * * MOON", "day-of-week is wrong"),
        ("0 0 30 2 *", "day-of-month is wrong"),
        ("0 2 * * * Europe/Berlim", "this machine knows no time zone 'Europe/Berlim'"),
        ("0 2 * * * ../../etc/passwd", "this machine knows no time zone"),
        ("0 2 * * * Europe Berlin", "this machine knows no time zone 'Europe Berlin'"),
        ("@daily", "it needs five fields"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(text, reason):
    with pytest.raises(ScheduleInvalid) as refused:
        Schedule.parse(text)
    assert reason in str(refused.value)
    assert "17 2 * * * Europe/Berlin" in refused.value.hint


def test_the_time_that_nobody_named_is_at_night_and_stays_the_same():
    found = {Schedule.nightly(f"machine-{number}") for number in range(1000)}

    assert Schedule.nightly("machine-1") in found
    assert len(found) > 300, "spread over the minutes"
    hours = {int(schedule.line.split()[1]) for schedule in found}
    assert hours == set(range(6))
    assert all(Schedule.parse(str(schedule)) == schedule for schedule in found)


def hour(number: int) -> datetime:
    return at("2026-11-24") + timedelta(hours=number)


def test_after_a_pause_the_newest_slot_is_run_and_the_others_were_missed():
    assert due([], []) == Due()
    assert due([hour(1)], []) == Due(run=hour(1))
    assert due([hour(1), hour(2), hour(3)], []) == Due(run=hour(3), missed=(hour(1), hour(2)))


def test_a_slot_that_finds_a_run_at_work_is_not_made_up_for():
    long = Span(started_at=hour(1), ended_at=hour(3) + timedelta(minutes=5))

    assert due([hour(2), hour(3)], [long]) == Due(overlapped=(hour(2), hour(3)))
    assert due([hour(2), hour(4)], [long]) == Due(run=hour(4), overlapped=(hour(2),))


def test_a_slot_that_others_left_no_turn_waited_and_was_not_missed():
    minutes = timedelta(minutes=1)
    one = Span(started_at=hour(0), ended_at=hour(1) + 20 * minutes)
    next_one = Span(started_at=one.ended_at + minutes, ended_at=hour(2) - minutes)
    short = Span(started_at=hour(1), ended_at=hour(1) + 5 * minutes)
    before = Span(started_at=hour(0), ended_at=hour(1))

    waited = Due(run=hour(2), waited=(hour(1),))
    missed = Due(run=hour(2), missed=(hour(1),))
    assert due([hour(1), hour(2)], [], [next_one, one]) == waited
    assert due([hour(1), hour(2)], [], [one]) == missed, "nobody looked when it was free"
    assert due([hour(1), hour(2)], [], [next_one]) == missed
    assert due([hour(1), hour(2)], [], [short]) == missed
    assert due([hour(1), hour(2)], [], [before]) == missed
    assert due([hour(1)], [], [one]) == Due(run=hour(1)), "it waits"


def test_what_was_missed_before_a_run_is_not_run_after_it():
    late = Span(started_at=hour(2), ended_at=hour(3))

    assert due([hour(1), hour(2)], [late]) == Due(missed=(hour(1),), overlapped=(hour(2),))
