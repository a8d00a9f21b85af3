"""Who is backed up next, with a journal on disk and runs that end when the test says so."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from unstoppable.domain.errors import Killed, UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.domain.schedule import Schedule
from unstoppable.runner.journal import Journal
from unstoppable.runner.planner import Planner
from unstoppable.runner.tick import Known

HOURLY = Schedule.parse("0 * * * *")
HALF_PAST = Schedule.parse("30 * * * *")
START = datetime(2026, 11, 24, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def named(text: str) -> ResourceName:
    return ResourceName.parse(text)


@dataclass
class Running:
    """A run that ends when the test says so."""

    site: "Site"
    run: Run
    code: int | None = None
    last_words: str = ""
    pid: int | None = 1

    def poll(self) -> int | None:
        return self.code

    def end(self, moment: datetime) -> None:
        self.code = 0
        record = RunRecord(run=self.run, ended_at=moment, outcome=Outcome.SUCCEEDED, exit_code=0)
        self.site.journal.write(record)


@dataclass
class Site:
    """A planner whose runs record that they began, as those of the program do."""

    journal: Journal
    most_at_once: int = 8
    started: list[tuple[str, datetime]] = field(default_factory=list)
    running: dict[str, Running] = field(default_factory=dict)
    complaints: list[UnstoppableError] = field(default_factory=list)
    moment: datetime = START
    records: bool = True
    held: dict[str, Run] = field(default_factory=dict)
    """Runs of other processes, by the customers whose lanes they hold."""

    def __post_init__(self) -> None:
        self.planner = Planner(
            Known(self.journal, self._holder),
            self._start,
            most_at_once=self.most_at_once,
            complain=self.complaints.append,
        )

    def _start(self, resource: ResourceName, slot: datetime) -> Running:
        if resource.customer == "broken":
            raise Killed(pid=1)
        self.started.append((str(resource), slot))
        identity = f"{resource} {slot} {len(self.started)}"
        run = Run(id=identity, resource=resource, slot_at=slot, started_at=self.moment, pid=1)
        if self.records:
            self.journal.write(RunRecord(run=run))
        self.running[str(resource)] = Running(self, run)
        return self.running[str(resource)]

    def _holder(self, resource: ResourceName) -> str | None:
        run = self.held.get(resource.customer)
        return None if run is None else run.id

    def hold(self, resource: str, slot: datetime | None = None) -> None:
        """Have another process make a backup."""
        name = named(resource)
        run = Run(
            id=f"theirs {self.moment}", resource=name, slot_at=slot, started_at=self.moment, pid=2
        )
        self.journal.write(RunRecord(run=run))
        self.held[name.customer] = run

    def leave(self, customer: str) -> None:
        """Have that one end."""
        ended = RunRecord(
            run=self.held.pop(customer),
            ended_at=self.moment,
            outcome=Outcome.SUCCEEDED,
            exit_code=0,
        )
        self.journal.write(ended)
        self.moment += timedelta(seconds=1)
        self.planner.step(self.moment)

    def plan(self, **schedules: Schedule) -> None:
        found = {named(name.replace("_", "/")): schedule for name, schedule in schedules.items()}
        for resource in found:
            self._was_backed_up(resource)
        self.planner.plan(found, self.moment)

    def _was_backed_up(self, resource: ResourceName) -> None:
        slot = self.moment
        run = Run(id=f"{resource}", resource=resource, slot_at=slot, started_at=slot, pid=1)
        self.journal.write(
            RunRecord(run=run, ended_at=slot, outcome=Outcome.SUCCEEDED, exit_code=0)
        )

    def until(self, hours: float) -> None:
        """Let the minutes pass."""
        while self.moment < at(hours):
            self.moment += timedelta(minutes=1)
            self.planner.step(self.moment)

    def end(self, resource: str) -> None:
        self.running.pop(resource).end(self.moment)
        self.planner.step(self.moment)

    def told(self, resource: str) -> list[tuple[datetime | None, str | None, str | None]]:
        """Return what is recorded, oldest slot first."""
        found = self.journal.runs(named(resource), limit=99)
        told = [(record.run.slot_at, record.outcome, record.message) for record in found]
        return sorted(told[:-1], key=lambda one: one[0] or START)


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
    assert site.planner.exit_codes == [0, 0, 0]


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
