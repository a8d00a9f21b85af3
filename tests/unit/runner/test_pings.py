"""Pings in the style of healthchecks: what began, how it ended, and nothing that is no news."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.servers import infisical as faults
from tests.unit.runner.record import ALICE, BEGAN, MAIL, record
from tests.unit.runner.test_reporting import HASTY
from unstoppable.domain.delivery_errors import PingFailed
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.schedule import Schedule
from unstoppable.runner.journal import Journal
from unstoppable.runner.outbox import Outbox
from unstoppable.runner.pings import Pinged, ping, waiting_since
from unstoppable.runner.post import Post
from unstoppable.runner.reporting import Means
from unstoppable.secrets.reference import InFile, Literal

SECRET = "5ecret-b2c1"


class Pinger:
    def __init__(self, state, witness) -> None:
        self.journal, self.outbox = Journal(state), Outbox(state)
        self.authority = witness.certificate.authority
        self.now, self.is_running = BEGAN + timedelta(minutes=2), True
        self.secret = Literal(f"{witness.address}/{SECRET}")
        self.schedule = Schedule.parse("0 0 * * *")

    def run(self, name, outcome=Outcome.SUCCEEDED, resource=ALICE, **changed):
        self.journal.write(replace(record(name, outcome, resource), **changed))

    def look(self):
        pinged = Pinged(
            resource=ALICE,
            schedule=self.schedule,
            name="ping_url",
            secret=self.secret,
            is_running=lambda _run: self.is_running,
        )
        with Post(self.authority, HASTY) as post:
            means = Means(outbox=self.outbox, journal=self.journal, post=post, now=lambda: self.now)
            return ping(means, pinged)


@pytest.fixture
def pinger(tmp_path, witness):
    return Pinger(tmp_path, witness)


def paths(witness):
    return [path.removeprefix(f"/{SECRET}") for path in witness.paths()]


def test_a_run_is_told_when_it_begins_and_when_it_succeeded_with_one_id(pinger, witness):
    pinger.run("1", None)
    pinger.look()
    pinger.look()
    pinger.run("1")
    pinger.look()
    pinger.look()

    assert paths(witness) == ["/start", ""]
    [begun], [ended] = (told.query["rid"] for told in witness.told)
    assert begun == ended == str(uuid.UUID(begun))
    assert witness.told[0].body == b"alice/www began at 2026-11-24 00:00:00 UTC"
    assert witness.told[1].body == (
        b"alice/www succeeded, snapshot ffffffff, at 2026-11-24 00:01:00 UTC"
    )


@pytest.mark.parametrize(
    ("outcome", "path"),
    [
        (Outcome.SUCCEEDED, ""),
        (Outcome.PARTIAL, "/fail"),
        (Outcome.FAILED, "/fail"),
        (Outcome.CANCELLED, "/fail"),
        (Outcome.SKIPPED, "/log"),
    ],
)
def test_only_what_succeeded_is_told_as_a_success(pinger, witness, outcome, path):
    pinger.run("1", outcome, message="cannot read it\n" + "x" * 3000)

    pinger.look()

    assert paths(witness) == [path]
    assert witness.told[0].body.startswith(f"alice/www {outcome}: cannot read it".encode())
    assert len(witness.told[0].body) <= 10_000


def test_a_run_that_died_is_not_told_as_begun(pinger, witness):
    pinger.run("1", None)
    pinger.is_running = False

    pinger.look()

    assert witness.asked == []


def test_other_resources_are_not_told_there(pinger, witness):
    pinger.run("1", resource=MAIL)

    pinger.look()

    assert witness.asked == []


def test_after_an_outage_the_last_run_that_had_its_turn_is_told_and_what_was_skipped_since(
    pinger, witness
):
    for number, outcome in enumerate(
        (Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.FAILED, *[Outcome.SKIPPED] * 5)
    ):
        pinger.run(str(number), outcome)

    pinger.look()
    pinger.look()

    assert paths(witness) == ["/fail", "/log", "/log", "/log"]


def test_a_skipped_slot_does_not_hide_the_run_that_ends_after_it(pinger, witness):
    pinger.run("1", None)
    pinger.run("2", Outcome.SKIPPED)
    pinger.look()
    pinger.run("1", Outcome.FAILED)
    pinger.look()

    assert paths(witness) == ["/log", "/start", "/fail"]


@pytest.mark.parametrize(
    ("days", "hours", "path"),
    [(0, 0.5, ""), (0, 12, ""), (1, 0.5, "/log"), (5, 0, "/log")],
)
def test_a_success_that_could_not_be_told_for_long_is_none_once_another_was_due(
    pinger, witness, days, hours, path
):
    pinger.run("1")
    pinger.now = BEGAN + timedelta(days=days, hours=hours)

    pinger.look()

    assert paths(witness) == [path]


def test_a_success_of_a_run_longer_than_its_schedule_is_one(pinger, witness):
    pinger.schedule = Schedule.parse("*/5 * * * *")
    pinger.run("1", ended_at=BEGAN + timedelta(minutes=30))
    pinger.now = BEGAN + timedelta(minutes=31)

    pinger.look()

    assert paths(witness) == [""]


def test_a_ping_that_does_not_arrive_is_sent_again_and_its_address_never_told(
    pinger, witness, tmp_path
):
    pinger.run("1")
    witness.faults.extend([faults.sent(b"", status=500)] * 3)

    told = []
    for minutes in (0, 1, 2, 4):
        pinger.now += timedelta(minutes=minutes)
        told.append(pinger.look())

    assert [len(errors) for errors in told] == [0, 0, 1, 0]
    assert isinstance(told[2][0], PingFailed)
    assert str(told[2][0]) == "the ping URL of alice/www is not reached: it answers 500"
    assert paths(witness) == [""]
    assert waiting_since(pinger.outbox, ALICE) is None
    for path in tmp_path.glob("outbox*"):
        assert path.is_dir() or b"5ecret" not in path.read_bytes()


def test_an_address_that_nobody_knows_is_told_at_once(pinger, witness):
    pinger.run("1")
    witness.status = lambda _path, _body: 404

    [error] = pinger.look()

    assert str(error) == "the ping URL of alice/www is not reached: it answers 404"


@pytest.mark.parametrize(
    "text",
    [
        "5ecret",
        "http://hc.example/5ecret",
        "https://hc.example/",
        "https://hc.example/5ecret?x=1",
        "https://u:5ecret@hc.example/x",
        "https://hc.example/5ecret\r\nHost: evil.example",
        "https://[5ecret/x",
    ],
)
def test_what_is_no_ping_url_is_told_without_any_of_it(pinger, witness, text):
    pinger.run("1")
    pinger.secret = Literal(text)

    [error] = pinger.look()

    assert "ping_url cannot be used: it is not an address such as https://hc-ping.com" in str(error)
    assert "5ecret" not in str(error) + error.hint
    assert witness.asked == []


def test_a_ping_url_that_cannot_be_read_is_asked_for_again_minutes_later(pinger, tmp_path, witness):
    pinger.run("1")
    path = tmp_path / "url"
    address = pinger.secret.text
    pinger.secret = InFile(name="ping_url", path=path)

    [error] = pinger.look()
    path.write_text(address)
    path.chmod(0o600)
    pinger.now += timedelta(minutes=4)
    pinger.look()
    before = len(witness.asked)
    pinger.now += timedelta(minutes=4)
    pinger.look()

    assert "url" in str(error)
    assert (before, paths(witness)) == (0, [""])


@pytest.mark.parametrize(("outcome", "path"), [(Outcome.SUCCEEDED, ""), (Outcome.FAILED, "/fail")])
def test_the_end_of_a_run_beside_which_many_slots_were_skipped_is_told(
    pinger, witness, outcome, path
):
    pinger.run("long", None)
    pinger.look()
    for number in range(50):
        pinger.run(f"skipped-{number:02}", Outcome.SKIPPED)
    pinger.look()
    pinger.run("long", outcome)
    pinger.look()
    pinger.look()

    assert [told for told in paths(witness) if told != "/log"] == ["/start", path]
