"""Who is backed up next, with a journal on disk and runs that end when the test says so."""

from datetime import timedelta

import pytest

from tests.unit.runner.planning import HALF_PAST, HOURLY, START, Site, at, named
from unstoppable.domain.outcome import Outcome
from unstoppable.runner.journal import Journal


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(Journal(tmp_path / "state"))


def test_customers_run_beside_each_other_and_one_customers_resources_one_by_one(site):
    site.plan(acme_www=HOURLY, acme_mail=HOURLY, blue_www=HOURLY)

    site.until(1)
    assert site.started == [("acme/mail", at(1)), ("blue/www", at(1))]
    site.end("acme/mail")
    assert site.started[2:] == [("acme/www", at(1))]
    site.end("acme/www")
    site.end("blue/www")

    assert site.planner.is_idle
    assert site.planner.exit_codes == {0}


def test_a_slot_of_the_resource_that_runs_is_skipped_and_recorded_at_once(site):
    site.plan(acme_www=HOURLY)

    site.until(1)
    site.until(2)
    skipped = site.told("acme/www")[-1]
    site.end("acme/www")
    site.until(3)

    assert skipped[:2] == (at(2), Outcome.SKIPPED)
    assert "still at work at 2026-11-24 02:00 UTC" in skipped[2]
    assert site.started == [("acme/www", at(1)), ("acme/www", at(3))]


def test_a_slot_whose_turn_never_came_is_skipped_when_the_next_one_comes(site):
    site.plan(acme_mail=HOURLY, acme_www=HOURLY)

    site.until(2)
    [waited] = site.told("acme/www")
    site.end("acme/mail")

    assert waited[:2] == (at(1), Outcome.SKIPPED)
    assert "others were at work from 2026-11-24 01:00 UTC" in waited[2]
    assert site.started[-1] == ("acme/www", at(2))


def test_no_more_run_at_once_than_may_and_who_waits_for_longest_is_first(tmp_path):
    site = Site(Journal(tmp_path / "state"), most_at_once=1)
    site.plan(blue_www=HOURLY, acme_www=HALF_PAST, cyan_www=HALF_PAST)

    site.until(1)
    site.end("acme/www")
    site.end("cyan/www")
    site.end("blue/www")

    assert site.started == [("acme/www", at(0.5)), ("cyan/www", at(0.5)), ("blue/www", at(1))]


def test_what_was_missed_is_made_up_for_once(site):
    site.plan(acme_www=HOURLY)
    site.moment = at(4.5)

    site.until(4.6)

    assert site.started == [("acme/www", at(4))]
    assert [told[:2] for told in site.told("acme/www")[:3]] == [
        (at(hour), Outcome.SKIPPED) for hour in (1, 2, 3)
    ]


def test_a_run_that_died_before_it_was_recorded_is_recorded_as_failed(site):
    site.records = False
    site.plan(acme_www=HOURLY)
    site.until(1)
    site.records = True
    site.running["acme/www"].code = 137

    site.until(1.5)
    told = site.told("acme/www")[-1]
    site.until(2)

    assert told == (
        at(1),
        Outcome.FAILED,
        "the run of acme/www ended before it began: its exit code is 137",
    )
    assert site.started == [("acme/www", at(1)), ("acme/www", at(2))]


def test_a_run_that_was_killed_is_recorded_at_once_with_its_last_words(site):
    site.plan(acme_www=HOURLY)
    site.until(1)
    site.running["acme/www"].last_words = "its process gave no sign of life"
    site.running["acme/www"].code = 137

    site.until(1.1)

    [(slot, outcome, message)] = site.told("acme/www")
    assert (slot, outcome) == (at(1), Outcome.FAILED)
    assert message == (
        "the run of acme/www ended and did not say how: its process gave no sign of life"
    )


def test_the_run_of_another_process_for_the_same_slot_is_left_alone(site):
    site.plan(acme_www=HOURLY)
    site.until(1)
    site.running["acme/www"].pid = 2
    site.running["acme/www"].code = 137

    site.until(1.1)

    assert [outcome for _, outcome, _ in site.told("acme/www")] == [None]


def test_one_that_found_its_lane_busy_is_made_again(site):
    site.records = False
    site.plan(acme_www=HOURLY)
    site.until(1)
    site.running["acme/www"].code = 11

    site.until(1.1)

    assert site.started == [("acme/www", at(1))] * 2


def test_a_slot_that_a_wrong_clock_made_due_does_not_wait(site):
    site.plan(acme_mail=HOURLY, acme_www=HOURLY)
    site.moment = at(5)
    site.until(5.1)
    site.moment = at(0.5)
    site.until(0.6)
    site.end("acme/mail")

    assert [slot for name, slot in site.started if name == "acme/www"] == []


def test_what_was_never_backed_up_and_is_at_work_is_not_skipped(site):
    site.planner.plan({named("acme/www"): HOURLY}, site.moment)
    site.records = False
    site.until(0.1)
    site.planner.plan({named("acme/www"): HOURLY}, site.moment)

    site.until(0.5)

    assert site.journal.runs(named("acme/www"), limit=9) == []


def test_one_that_cannot_be_started_is_told_and_tried_each_minute(site):
    site.plan(broken_www=HOURLY)

    site.until(1 + 2 / 60)

    assert len(site.complaints) == 3


def test_with_no_journal_the_slot_of_this_minute_is_run_once(site):
    site.plan(acme_www=HOURLY)
    site.records = False
    site.journal.path.unlink()
    site.journal.path.mkdir()

    site.until(1.5)
    site.running["acme/www"].code = 0
    site.until(1.9)

    assert site.started == [("acme/www", at(1))]
    assert site.complaints


def test_a_clock_that_was_ahead_stops_nothing(site):
    site.plan(acme_www=HOURLY)
    site.moment = at(5)
    site.until(5.1)
    site.end("acme/www")

    site.moment = at(1.2)
    site.until(2)

    site.end("acme/www")
    site.until(3)

    assert [slot for _, slot in site.started] == [at(5), at(1), at(3)]


def test_with_another_plan_what_runs_goes_on_and_what_waits_is_left(site):
    site.plan(acme_mail=HOURLY, acme_www=HOURLY)
    site.until(1)
    site.planner.plan({named("acme/mail"): HALF_PAST}, site.moment)

    site.until(1.2)
    site.end("acme/mail")
    site.until(1.5)

    assert site.started == [("acme/mail", at(1)), ("acme/mail", at(1.5))]


def test_two_planners_serve_each_slot_once(tmp_path):
    journal = Journal(tmp_path / "state")
    one, other = Site(journal), Site(journal)
    for site in (one, other):
        site.plan(acme_www=HOURLY, blue_www=HALF_PAST)
    for minute in range(1, 600):
        moment = START + timedelta(minutes=minute)
        for site in (one, other):
            site.moment = moment
            site.planner.step(moment)
            for name in list(site.running):
                site.end(name)

    slots = sorted(one.started + other.started)
    assert slots == sorted(set(slots))
    assert len(slots) == 9 + 10
