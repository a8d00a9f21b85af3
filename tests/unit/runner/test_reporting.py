"""Records to reporters: in order, at least once, whatever the reporter does."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.servers import infisical as faults
from tests.servers.s3 import Certificate
from tests.servers.witness import Told
from tests.unit.runner.record import ALICE, BEGAN, BOB, record
from unstoppable.domain.delivery_errors import (
    OutboxUnusable,
    RecordPassedOver,
    ReporterAway,
    ReporterRefuses,
)
from unstoppable.domain.signed_record import SignedRecord
from unstoppable.runner import emitter_file, reporting
from unstoppable.runner.journal import Journal
from unstoppable.runner.outbox import Outbox
from unstoppable.runner.post import Limits, Post
from unstoppable.runner.reporting import Means, report, waiting

HASTY = Limits(connect_seconds=1, read_seconds=0.5, total_seconds=1)


class Teller:
    """A journal whose records go to one reporter."""

    def __init__(self, state, reporter, certificate: Certificate | None) -> None:
        self.journal, self.outbox, self.reporter = Journal(state), Outbox(state), reporter
        self.authority = certificate.authority if certificate else None
        self.now = BEGAN

    def run(self, *names, resource=ALICE):
        for name in names:
            self.journal.write(record(name, resource=resource))

    def look(self, *customer, **limits):
        return self.look_for_more(*customer, **limits)[0]

    def look_for_more(self, customer="alice", limits=HASTY):
        with Post(self.authority, limits) as post:
            means = Means(outbox=self.outbox, journal=self.journal, post=post, now=lambda: self.now)
            return report(means, customer, self.reporter)

    def later(self, **passed):
        self.now += timedelta(**passed)

    def waits(self, customer="alice"):
        return waiting(self.outbox, self.journal, customer, self.reporter)


@pytest.fixture
def teller(tmp_path, witness, infisical_certificate):
    return Teller(tmp_path, witness.records, infisical_certificate)


def runs(witness):
    return [told.record["run"] for told in witness.told]


def test_each_record_is_posted_once_as_it_was_signed_and_in_order(teller, witness, tmp_path):
    teller.run("1", "2", "3")

    assert teller.look() == []
    assert teller.look() == []

    assert runs(witness) == ["1", "2", "3"]
    emitter = emitter_file.find(tmp_path, "alice").emitter
    opened = [SignedRecord.open(told.body, emitter) for told in witness.told]
    assert [record.place.sequence for record in opened] == [1, 2, 3]
    assert {told.path for told in witness.told} == {"/v1/records"}
    assert witness.told[0].headers["Content-Type"] == "application/vnd.dsse.envelope.v1+json"
    assert (teller.waits().records, teller.waits().since) == (0, None)


def test_what_was_told_is_remembered_by_the_next_process(teller, witness, tmp_path):
    teller.run("1")
    teller.look()
    teller.run("2")

    again = Teller(tmp_path, teller.reporter, None)
    again.authority = teller.authority
    again.look()

    assert runs(witness) == ["1", "2"]


def test_a_customers_records_go_to_nobody_elses_reporter(teller, witness):
    teller.run("1")
    teller.run("2", resource=BOB)

    teller.look()

    assert runs(witness) == ["1"]
    assert b"bob" not in b"".join(told.body for told in witness.told)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (faults.sent(b"", status=500), "it answers 500"),
        (faults.sent(b"", status=503), "it answers 503"),
        (faults.sent(b"", status=599), "it answers 599"),
        (faults.hang, "no answer within 0.5 s"),
        (faults.hang_up, "what it answers is no HTTP, or ends too early"),
        (faults.drip(b"nonsense\r\n", 0), "what it answers is no HTTP, or ends too early"),
        (faults.DRIPPED_HEAD, "it took longer than 1 s"),
    ],
)
def test_a_reporter_with_a_fault_is_asked_again_and_told_of_at_the_third_time(
    teller, witness, fault, cause
):
    teller.run("1", "2")
    witness.faults.extend([fault] * 3)

    first = teller.look()
    at_once = teller.look()
    asked_at_once = len(witness.asked)
    teller.later(minutes=1)
    second = teller.look()
    teller.later(minutes=2)
    third = teller.look()
    waits = teller.waits()
    teller.later(minutes=4)

    assert (first, at_once, asked_at_once, second) == ([], [], 1, [])
    assert [type(error) for error in third] == [ReporterAway]
    assert cause in str(third[0])
    assert (waits.records, waits.cause) == (2, cause)
    assert waits.since == BEGAN + timedelta(minutes=1)
    assert teller.look() == []
    assert runs(witness) == ["1", "2"]
    assert teller.waits().cause == ""


def test_an_answer_whose_end_does_not_come_was_an_answer(teller, witness):
    teller.run("1", "2")
    witness.faults.append(faults.sent(b"x", status=202, length=1000))
    witness.faults.append(faults.DRIPPED_FAST)

    teller.look()

    assert teller.waits().records == 0


def test_a_pause_is_as_long_as_the_reporter_asks_for(teller, witness):
    teller.run("1")
    witness.faults.append(faults.sent(b"", status=429, headers={"Retry-After": "3600"}))
    teller.look()

    teller.later(minutes=59)
    teller.look()
    assert len(witness.asked) == 1
    teller.later(minutes=17)
    teller.look()

    assert runs(witness) == ["1"]


@pytest.mark.parametrize("asked", ["99999999999", "-1", "soon", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_reporter_that_lies_about_when_to_come_again_is_asked_within_hours(
    teller, witness, asked
):
    teller.run("1")
    witness.faults.append(faults.sent(b"", status=503, headers={"Retry-After": asked}))
    teller.look()

    teller.later(hours=8)
    teller.look()

    assert runs(witness) == ["1"]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 451])
def test_a_reporter_that_refuses_all_is_told_at_once_and_offered_the_same_later(
    teller, witness, status
):
    teller.run("1", "2")
    witness.status = lambda _path, _body: status

    told = [teller.look()]
    for _ in range(5):
        teller.later(hours=2)
        told.append(teller.look())
    waits = teller.waits()
    witness.status = lambda _path, _body: 200
    teller.later(hours=2)
    teller.look()

    assert [type(error) for error in told[0]] == [ReporterRefuses]
    assert str(told[0][0]).endswith(f"refuses the records of alice: it answers {status}")
    assert told[1:] == [[]] * 5
    assert len(witness.asked) == 8
    assert (waits.records, waits.cause) == (2, f"it answers {status}")
    assert runs(witness) == ["1", "2"]


def test_a_redirect_is_not_followed_and_counts_as_a_refusal(teller, witness, start_witness):
    elsewhere = start_witness(None)
    teller.run("1")
    witness.faults.append(faults.redirected(elsewhere.records))

    [error] = teller.look()

    assert isinstance(error, ReporterRefuses)
    assert "leads elsewhere and is not followed" in str(error)
    assert elsewhere.asked == []


def test_one_record_that_is_refused_stops_the_others_for_minutes_and_is_told(teller, witness):
    teller.run("1")
    teller.look()
    teller.run("bad", "3")
    witness.status = lambda _p, body: (
        422 if Told("", {}, {}, body, 0).record["run"] == "bad" else 200
    )

    first = teller.look()
    teller.later(minutes=1)
    second = teller.look()
    teller.later(minutes=2)
    third = teller.look()
    teller.look()

    assert [type(error) for error in first] == [ReporterRefuses]
    assert second == []
    assert [type(error) for error in third] == [RecordPassedOver]
    assert "refused the record of run bad of alice: it answers 422" in str(third[0])
    assert runs(witness) == ["1", "3"]
    assert (teller.waits().records, teller.waits().passed_over) == (0, 1)


def test_a_reporter_that_takes_no_record_any_more_loses_one_at_most(teller, witness):
    teller.run("1")
    teller.look()
    teller.run("2", "3", "4")
    witness.status = lambda _path, _body: 400

    for _ in range(10):
        teller.look()
        teller.later(hours=2)
    waits = teller.waits()
    witness.status = lambda _path, _body: 200
    teller.look()

    assert (waits.records, waits.passed_over) == (2, 1)
    assert runs(witness) == ["1", "3", "4"]


def test_a_reporter_that_never_took_any_record_loses_none(teller, witness):
    teller.run("1", "2")
    witness.status = lambda _path, _body: 400

    for _ in range(10):
        teller.look()
        teller.later(hours=2)

    assert (teller.waits().records, teller.waits().passed_over) == (2, 0)


def test_one_server_that_is_down_is_asked_once_for_all_customers(teller, witness):
    teller.run("1")
    teller.run("2", resource=BOB)
    witness.faults.append(faults.sent(b"", status=502))

    teller.look("alice")
    teller.look("bob")

    assert len(witness.asked) == 1
    teller.later(minutes=1)
    teller.look("bob")
    teller.look("alice")
    assert runs(witness) == ["2", "1"]


def test_a_certificate_of_nobody_known_is_not_believed(teller, witness):
    teller.run("1")
    teller.authority = None

    for _ in range(3):
        told = teller.look()
        teller.later(hours=2)

    assert "its certificate is not trusted: " in str(told[0])
    assert witness.asked == []


def test_a_certificate_for_another_name_is_not_believed(tmp_path, start_witness):
    certificate = Certificate.make(tmp_path, names="DNS:other.example")
    other = start_witness(certificate)
    teller = Teller(tmp_path / "state", other.records, certificate)
    teller.run("1")

    teller.look()

    assert "its certificate is not trusted" in teller.waits().cause
    assert other.asked == []


@pytest.mark.parametrize(
    "reporter",
    ["https://127.0.0.1:1/v1/records", f"https://{'a' * 64}.example/", "https://a.invalid/v1"],
)
def test_a_server_that_is_not_there_is_told_and_nothing_else(tmp_path, reporter):
    teller = Teller(tmp_path, reporter, None)
    teller.run("1")

    assert teller.look() == []

    assert teller.waits().records == 1
    assert teller.waits().cause


def test_a_proxy_of_the_environment_is_not_asked(teller, witness, start_witness, monkeypatch):
    proxy = start_witness(None)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.address)
    teller.run("1")

    teller.look()

    assert (runs(witness), proxy.asked) == (["1"], [])


def test_a_new_journal_is_told_from_its_first_record_on(teller, witness, tmp_path):
    teller.run("1", "2")
    teller.look()
    for path in tmp_path.glob("journal.sqlite3*"):
        path.unlink()
    teller.run("3", "4")

    teller.look()

    assert runs(witness) == ["1", "2", "3", "4"]
    assert witness.told[2].record["start"] == "journal-lost"


def test_a_lost_outbox_tells_once_more_and_loses_nothing(teller, witness):
    teller.run("1", "2")
    teller.look()
    teller.outbox.path.unlink()
    teller.run("3")

    teller.look()

    assert runs(witness) == ["1", "2", "1", "2", "3"]


def test_a_clock_that_was_ahead_holds_nothing_up(teller, witness):
    teller.run("1")
    teller.now = datetime(2040, 1, 1, tzinfo=UTC)
    witness.faults.append(faults.sent(b"", status=500))
    teller.look()
    teller.now = BEGAN

    teller.look()

    assert runs(witness) == ["1"]


def test_a_look_sends_so_many_and_the_next_one_goes_on(teller, witness, monkeypatch):
    monkeypatch.setattr(reporting, "BATCH", 2)
    teller.run("1", "2", "3")

    teller.look()
    after_one = runs(witness)
    teller.look()

    assert (after_one, runs(witness)) == (["1", "2"], ["1", "2", "3"])


def test_nothing_is_sent_where_it_cannot_be_remembered(teller, witness, monkeypatch):
    teller.run("1")

    def full(_self):
        raise OutboxUnusable(path="outbox", cause="database or disk is full")

    monkeypatch.setattr(Outbox, "require", full)

    with pytest.raises(OutboxUnusable):
        teller.look()
    assert witness.asked == []


def test_what_cannot_be_signed_waits_until_it_is(teller, witness, tmp_path):
    teller.run("1")
    key = emitter_file.key_file(tmp_path, "alice")
    text = key.read_text()
    key.write_text("x")
    with pytest.raises(Exception, match="cannot sign"):
        teller.run("2")
    teller.look()
    key.write_text(text)
    teller.run("3")

    teller.look()

    assert runs(witness) == ["1", "2", "3"]
