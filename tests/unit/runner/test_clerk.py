"""A clerk writes down what one run tells of itself, and nothing else."""

import json
import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runner.record import ALICE, BOB, MAIL, record
from unstoppable.domain.errors import FolderUnusable, JournalUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import (
    EmitterUnusable,
    JournalDamaged,
    JournalLost,
    JournalSetAside,
)
from unstoppable.domain.run import RecordedIssue, RunRecord
from unstoppable.runner import clerk as clerks
from unstoppable.runner.clerk import Clerk, Desk, beside, serve
from unstoppable.runner.emitter_file import key_file
from unstoppable.runner.journal import Journal
from unstoppable.runner.pen import Pen, killed
from unstoppable.runner.records_check import check_records

RUN = record("mine").run
SLOT = str(int(RUN.started_at.timestamp()))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


@pytest.fixture
def clerk(journal: Journal) -> Iterator[Clerk]:
    """A clerk in a thread, so that what it does is measured."""
    ours, theirs = socket.socketpair()
    desk, channel = Desk(journal, RUN), theirs.makefile("rwb")
    sitting = threading.Thread(target=lambda: serve(channel, desk))
    sitting.start()
    with ours, ours.makefile("rwb") as own:
        yield Clerk(own, journal.path, RUN)
    sitting.join()
    channel.close()
    theirs.close()


def refused(clerk: Clerk, **question: object) -> str:
    with pytest.raises(JournalUnusable, match="cannot be used: not for this run: ") as caught:
        clerk._ask(**question)
    return str(caught.value).partition("not for this run: ")[2]


def test_what_a_run_tells_is_recorded_and_signed(clerk, journal):
    clerk.write(record("mine", None))
    assert [one.run for one in journal.going_on("alice")] == [RUN]

    clerk.write(record("mine"))

    assert journal.runs(ALICE, limit=9) == [record("mine")]
    assert check_records(journal.path.parent, "alice").records == 1


def test_it_answers_what_the_journal_would(clerk, journal):
    journal.write(record("dead", None), record("of-bob", None, BOB))
    journal.remember_mounts(ALICE, [b"/a", b"/line\nbreak\xff"])

    assert clerk.going_on("alice") == journal.going_on("alice")
    assert clerk.has_run_for(ALICE, RUN.started_at, until=RUN.started_at)
    assert clerk.mounts(ALICE) == {b"/a", b"/line\nbreak\xff"}
    clerk.remember_mounts(ALICE, [b"/other\xfe"])
    assert journal.mounts(ALICE) == {b"/other\xfe"}
    assert clerk.set_aside() is None


def test_a_text_stays_as_it_is_on_its_way(clerk, journal):
    told = replace(
        record("mine", Outcome.FAILED),
        message=r"cannot read C:\\a\x0a",
        issues=(RecordedIssue(kind="unreadable", path=r"a\\b", message="no"),),
    )

    clerk.write(told)

    assert journal.runs(ALICE, limit=1) == [told]


def test_a_dead_run_is_buried_through_it(clerk, journal):
    journal.write(record("dead", None), record("dead-mail", None, MAIL))
    pen = Pen(clerk)

    pen.write(record("mine", None))
    pen.bury(RUN)

    assert pen.failure is None
    assert [one.run for one in journal.going_on("alice")] == [RUN]
    assert journal.runs(MAIL, limit=1) == [killed(record("dead-mail", None, MAIL))]


def test_what_is_another_runs_is_refused(clerk, journal):
    journal.write(record("of-bob", None, BOB), record("other", None), record("past"))
    before = [*journal.runs(ALICE, limit=9), *journal.runs(BOB, limit=9)]
    theirs = replace(RUN, resource=BOB)
    lies: list[RunRecord] = [
        record("of-bob", Outcome.FAILED, BOB),
        record("new-of-bob", resource=BOB),
        record("of-bob", Outcome.FAILED),  # his run's name under her own
        record("other", Outcome.FAILED),
        record("past", Outcome.FAILED),
        record("one-more"),
        record("mine", resource=MAIL),
        replace(record("mine"), run=replace(RUN, pid=2)),
        replace(record("mine"), run=theirs),
        killed(record("of-bob", None, BOB)),
        killed(record("past")),
    ]

    for lie in lies:
        with pytest.raises(JournalUnusable, match="the record is another run's"):
            clerk.write(lie)
    assert refused(clerk, ask="going_on", of="bob")
    for of in ("bob/www", "alice/mail", "alice"):
        assert refused(clerk, ask="mounts", of=of)
        assert refused(clerk, ask="remember_mounts", of=of, points=["/x"])
        assert refused(clerk, ask="has_run_for", of=of, slot=SLOT, until=SLOT)
    assert refused(clerk, ask="has_run_for", of="alice/www", slot="1", until=SLOT)

    assert [*journal.runs(ALICE, limit=9), *journal.runs(BOB, limit=9)] == before


TEXT = record("mine").to_json()


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"ask": "runs"},
        {"ask": "__init__"},
        {"ask": ["write"]},
        {"ask": "write"},
        {"ask": "write", "record": 1},
        {"ask": "write", "record": [TEXT]},
        {"ask": "has_complete", "of": "alice/mail"},
        {"ask": "has_complete", "of": "bob/www"},
        {"ask": "write", "record": TEXT, "more": 1},
        {"ask": "write", "record": "{}"},
        {"ask": "write", "record": "[" * 100_000},
        {"ask": "write", "record": TEXT + " "},
        {"ask": "write", "record": TEXT.replace('"exit_code":0', '"exit_code":0.5')},
        {"ask": "write", "record": TEXT.replace('"message":null', '"message":"\x1b[2J"')},
        {"ask": "write", "record": TEXT.replace('"message":null', f'"message":"{"x" * 2001}"')},
        {"ask": "write", "record": TEXT.replace('"outcome":"succeeded"', '"outcome":"fine"')},
        {"ask": "write", "record": TEXT.replace('"version":1', '"version":2')},
        {"ask": "remember_mounts", "of": "alice/www", "points": 7},
        {"ask": "remember_mounts", "of": "alice/www", "points": ["\u20ac"]},
        {"ask": "remember_mounts", "of": "alice/www", "points": [{}]},
    ],
)
def test_a_question_that_is_none_is_refused(clerk, journal, question):
    assert refused(clerk, **question)

    assert not journal.path.exists()
    clerk.write(record("mine"))


@pytest.mark.parametrize("line", [b"null\n", b"[]\n", b"[" * 100_000 + b"\n", b"\xff\n", b"1\n"])
def test_what_is_no_question_is_refused_as_well(journal, line):
    answer: dict[str, Any] = Desk(journal, RUN).answer(line)

    assert answer["error"] == "JournalUnusable"


def test_a_journal_that_fails_is_told_as_ever(clerk, journal):
    journal.write(record("a"))
    key_file(journal.path.parent, "alice").write_text("broken")
    with pytest.raises(EmitterUnusable, match="it does not hold 64 hex") as caught:
        clerk.write(record("mine"))
    assert caught.value.hint
    with closing(sqlite3.connect(journal.path)) as opened:
        opened.execute("PRAGMA user_version = 99")

    with pytest.raises(JournalUnusable, match="a newer version"):
        clerk.going_on("alice")


def test_a_damaged_journal_is_put_aside_through_it_once(clerk, journal):
    journal.write(record("a"))
    journal.path.write_bytes(b"mallory" * 1000)
    with pytest.raises(JournalDamaged):
        clerk.going_on("alice")
    pen = Pen(clerk)

    pen.write(record("mine"))

    assert isinstance(pen.set_aside, JournalSetAside)
    assert Path(str(pen.set_aside.facts["aside"])).read_bytes() == b"mallory" * 1000
    assert [one.run.id for one in journal.runs(ALICE, limit=9)] == ["mine"]
    assert refused(clerk, ask="set_aside")


def test_a_journal_that_was_lost_is_told_through_it(clerk, journal):
    journal.write(record("a"))
    journal.path.unlink()

    assert clerk.write(record("mine", None)) is None
    lost = clerk.write(record("mine"))

    assert isinstance(lost, JournalLost)
    assert f"the journal {journal.path} was lost: it knows nothing of what alice's" in str(lost)


def test_a_state_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").touch()
    with beside(tmp_path / "file/state", RUN) as clerk, pytest.raises(FolderUnusable):
        clerk.write(record("mine"))


def test_a_run_asks_so_often_and_no_more(monkeypatch, journal):
    monkeypatch.setattr(clerks, "_MOST_QUESTIONS", 2)
    question = b'{"ask": "mounts", "of": "alice/www"}\n'
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rwb") as other:
        ours.sendall(question * 3)
        serve(other, Desk(journal, RUN))
        assert ours.recv(999) == b'{"answer": []}\n' * 2


def test_a_question_without_an_end_is_heard_to_a_limit(monkeypatch, journal):
    monkeypatch.setattr(clerks, "_LARGEST_QUESTION_BYTES", 10)
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rwb") as other:
        ours.sendall(b"x" * 11)
        serve(other, Desk(journal, RUN))


@contextmanager
def forked(journal: Journal) -> Iterator[tuple[Clerk, int]]:
    """A clerk in a process of its own, and which that is."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = set(children.read_text().split())
    with beside(journal.path.parent, RUN) as clerk:
        (process,) = set(children.read_text().split()) - before
        yield clerk, int(process)


def test_it_is_a_process_that_ends_with_the_run_and_not_before(journal):
    with forked(journal) as (clerk, process):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(process, number)
        clerk.write(record("mine"))
        descriptors = [Path(f"/proc/{process}/fd/{number}").readlink() for number in range(3)]
        assert descriptors == [Path(os.devnull)] * 3, "it keeps nobody who listens to the run"

    assert not Path(f"/proc/{process}").exists()
    assert journal.runs(ALICE, limit=9) == [record("mine")]


def test_a_clerk_that_was_killed_is_an_error_of_the_journal(journal):
    with forked(journal) as (clerk, process):
        clerk.write(record("mine", None))
        os.kill(process, signal.SIGKILL)
        pen = Pen(clerk)
        for _ in range(2):
            pen.write(record("mine"))
            assert "the process that keeps it for this run has ended" in str(pen.failure)

    assert [one.outcome for one in journal.runs(ALICE, limit=9)] == [None]


def test_a_run_that_takes_anothers_name_is_refused_by_the_journal_itself(journal):
    journal.write(record("a", None, BOB))

    for mine in (record("a", None), record("a"), record("a", resource=MAIL)):
        with pytest.raises(JournalUnusable, match="run a is another resource's"):
            journal.write(mine)

    assert journal.runs(BOB, limit=9) == [record("a", None, BOB)]
    assert journal.runs(ALICE, limit=9) == []


def test_the_questions_are_lines_of_json(journal):
    name = ResourceName(customer="alice", resource="www")
    desk = Desk(journal, RUN)

    assert desk.answer(json.dumps({"ask": "mounts", "of": str(name)}).encode()) == {"answer": []}
