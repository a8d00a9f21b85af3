"""The outbox: what it keeps survives kills and two at once, and a broken one loses no record."""

import os
import sqlite3
import time
from contextlib import closing
from itertools import groupby

import pytest

from tests.unit.runner.record import ALICE, BEGAN, record
from tests.unit.runner.telling import start
from unstoppable.domain.delivery_errors import OutboxDamaged, OutboxUnusable
from unstoppable.runner.journal import Journal
from unstoppable.runner.outbox import Channel, Outbox, Reported

RECORDS = 60


@pytest.fixture
def many(tmp_path):
    Journal(tmp_path).write(*(record(f"{number:03}") for number in range(RECORDS)))
    return [f"{number:03}" for number in range(RECORDS)]


def without_repetitions(witness):
    return [run for run, _ in groupby(told.record["run"] for told in witness.told)]


def test_kills_at_any_moment_lose_no_record_and_keep_the_order(many, tmp_path, witness):
    for kill in range(8):
        teller = start(
            tmp_path, witness.records, witness.certificate.authority, environment=dict(os.environ)
        )
        wanted = min(len(witness.told) + 4 + kill, RECORDS)
        while len(witness.told) < wanted and teller.poll() is None:
            time.sleep(0.001)
        teller.kill()
        teller.wait()
    last = start(
        tmp_path, witness.records, witness.certificate.authority, environment=dict(os.environ)
    )
    assert last.wait(60) == 0

    assert without_repetitions(witness) == many


def test_two_at_once_tell_each_record_once_and_in_order(many, tmp_path, witness):
    arguments = (tmp_path, witness.records, witness.certificate.authority)
    both = [start(*arguments, environment=dict(os.environ)) for _ in range(2)]

    assert [one.wait(60) for one in both] == [0, 0]

    assert [told.record["run"] for told in witness.told] == many


def test_looking_makes_nothing(tmp_path):
    state = tmp_path / "state"
    outbox = Outbox(state)

    assert outbox.reported("alice", "https://x") == Reported()
    assert outbox.channel("x") == Channel(name="x")
    assert (outbox.mails(), outbox.alerts(), outbox.pinged(ALICE)) == ([], {}, frozenset())
    assert not state.exists()


def test_nobody_else_may_read_it(tmp_path):
    outbox = Outbox(tmp_path / "state")
    outbox.note_reported("alice", "https://x", Reported(run="1", is_accepted=True))
    with outbox.alone("alice.lock"):
        pass

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_damaged_one_is_put_aside_once(tmp_path):
    outbox = Outbox(tmp_path)
    outbox.path.write_bytes(b"nonsense" * 1000)

    with pytest.raises(OutboxDamaged):
        outbox.reported("alice", "https://x")
    aside = outbox.set_aside()

    assert aside is not None
    assert "outbox-damaged-" in str(aside)
    assert outbox.set_aside() is None
    assert outbox.reported("alice", "https://x") == Reported()


def test_one_of_a_newer_version_is_left_alone(tmp_path):
    outbox = Outbox(tmp_path)
    with closing(sqlite3.connect(outbox.path)) as opened:
        opened.execute("PRAGMA user_version = 99")

    with pytest.raises(OutboxUnusable, match="a newer version of this program wrote it"):
        outbox.require()


def test_a_failure_that_two_met_counts_once(tmp_path):
    outbox = Outbox(tmp_path)
    known = outbox.channel("server https://x")

    first = outbox.fail(known, cause="a", retry_at=1, moment=BEGAN)
    second = outbox.fail(known, cause="b", retry_at=2, moment=BEGAN)

    assert (first, second) == (True, False)
    assert outbox.channel("server https://x").failures == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    outbox = Outbox(tmp_path / "file" / "state")

    with pytest.raises(OutboxUnusable, match="nobody is told of runs"):
        outbox.require()
    with pytest.raises(OutboxUnusable, match="nobody is told of runs"), outbox.alone("x"):
        pass
