"""Who is backed up next where others are at work, in this process or in another one."""

from datetime import timedelta

import pytest

from tests.unit.runner.planning import HOURLY, Site, at, named
from unstoppable.domain.outcome import Outcome
from unstoppable.runner.journal import Journal


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(Journal(tmp_path / "state"))


def test_beside_a_run_of_others_nothing_is_started_and_what_is_due_waits(site):
    site.plan(acme_www=HOURLY, blue_www=HOURLY)
    site.until(0.9)
    site.hold("acme/mail")

    site.until(1.5)
    is_idle = site.planner.is_idle
    site.end("blue/www")
    waits = site.planner.is_idle
    site.leave("acme")

    assert (is_idle, waits) == (False, True), "a tick need not wait for others"
    assert site.started == [("blue/www", at(1)), ("acme/www", at(1))]


def test_a_slot_that_others_left_no_turn_is_skipped_and_not_missed(site):
    site.plan(acme_www=HOURLY)
    site.until(0.9)
    site.hold("acme/mail")

    site.until(2.2)
    [waited] = site.told("acme/www")

    assert waited[:2] == (at(1), Outcome.SKIPPED)
    assert waited[2] == (
        "skipped: others were at work from 2026-11-24 01:00 UTC until acme/www was due again"
    )


def test_the_same_is_told_by_one_who_looks_each_minute_and_remembers_nothing(site):
    site.plan(acme_www=HOURLY)
    site.until(0.9)
    site.hold("acme/mail")
    while site.moment < at(3.2):
        site.moment += timedelta(minutes=1)
        tick = Site(site.journal, moment=site.moment, held=site.held)
        tick.planner.plan({named("acme/www"): HOURLY}, site.moment)
        tick.planner.step(site.moment)
        assert tick.planner.is_idle

    assert [told[:2] for told in site.told("acme/www")] == [
        (at(1), Outcome.SKIPPED),
        (at(2), Outcome.SKIPPED),
    ]
    assert all("others were at work" in (told[2] or "") for told in site.told("acme/www"))


def test_a_slot_that_finds_its_own_resource_at_work_elsewhere_is_skipped_at_once(site):
    site.plan(acme_www=HOURLY)
    site.until(0.9)
    site.hold("acme/www")

    site.until(1)
    site.leave("acme")
    site.until(1.5)

    [_, told] = site.told("acme/www")
    assert told[:2] == (at(1), Outcome.SKIPPED)
    assert "a run of acme/www was still at work at 2026-11-24 01:00 UTC" in (told[2] or "")
    assert site.started == []


def test_what_others_served_meanwhile_is_not_started(site):
    site.plan(acme_www=HOURLY)
    site.until(0.99)
    site.hold("acme/mail")
    site.until(1)
    site.leave("acme")
    site.end("acme/www")
    site.until(1.95)
    site.hold("acme/www", at(2))
    site.until(2.1)
    site.leave("acme")
    site.until(2.5)

    assert site.started == [("acme/www", at(1))]


def test_what_does_not_wait_for_others_is_skipped_at_once(site):
    site.plan(acme_mail=HOURLY, acme_www=HOURLY)
    impatient = frozenset({named("acme/www")})
    site.planner.plan(site.planner._schedules, site.moment, impatient)

    site.until(1)
    [told] = site.told("acme/www")
    site.end("acme/mail")
    site.until(1.9)
    site.hold("acme/db")
    site.until(2.1)

    assert told == (
        at(1),
        Outcome.SKIPPED,
        "skipped: acme/www does not wait for others, who were at work at 2026-11-24 01:00 UTC",
    )
    assert [one[:2] for one in site.told("acme/www")][1:] == [(at(2), Outcome.SKIPPED)]
    assert site.started == [("acme/mail", at(1))]


def test_what_does_not_wait_for_others_is_run_where_none_are_at_work(tmp_path):
    site = Site(Journal(tmp_path / "state"), most_at_once=1)
    site.plan(acme_mail=HOURLY, blue_www=HOURLY)
    site.planner.plan(site.planner._schedules, site.moment, frozenset({named("blue/www")}))

    site.until(1.1)
    site.end("acme/mail")

    assert site.started == [("acme/mail", at(1)), ("blue/www", at(1))], "no other is of its lane"


def test_what_was_never_backed_up_waits_all_the_same(site):
    site.plan(acme_mail=HOURLY)
    schedules = {**site.planner._schedules, named("acme/www"): HOURLY}
    site.until(1)
    site.planner.plan(schedules, site.moment, frozenset({named("acme/www")}))
    site.until(1.1)
    site.end("acme/mail")

    assert [name for name, _ in site.started] == ["acme/mail", "acme/www"]
