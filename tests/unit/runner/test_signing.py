"""Every run that ended is signed, once, in one chain, whatever happens in between."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.runner.record import ALICE, BOB, MAIL, record, start
from unstoppable.domain.emitter import EmitterKey
from unstoppable.domain.errors import JournalUnusable
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import EmitterMissing, EmitterUnusable, RecordsBroken
from unstoppable.domain.record_form import Start
from unstoppable.domain.signed_record import SignedRecord
from unstoppable.runner import emitter_file, signing
from unstoppable.runner.emitter_file import key_file, require
from unstoppable.runner.journal import Journal
from unstoppable.runner.pen import Pen
from unstoppable.runner.records_check import check_records

SEED = 20240229
WRITERS, EACH = 4, 25


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


def signed(journal: Journal, customer: str = "alice") -> list[SignedRecord]:
    """Return the records in the envelopes, after they were found whole."""
    check_records(journal.path.parent, customer)
    return [
        SignedRecord.open(kept.envelope, require(journal.path.parent, customer).emitter)
        for kept in journal.envelopes(customer)
    ]


def change(journal: Journal, *statements: str) -> None:
    with closing(sqlite3.connect(journal.path)) as opened:
        for statement in statements:
            opened.execute(statement)
        opened.commit()


def test_what_ended_is_signed_and_what_goes_on_is_not(journal):
    journal.write(record("a", None))
    assert signed(journal) == []
    journal.write(record("a"))
    journal.write(record("b", Outcome.SKIPPED), record("c", Outcome.FAILED, MAIL))

    found = signed(journal)

    assert [(one.run, one.place.sequence, one.outcome) for one in found] == [
        ("a", 1, Outcome.SUCCEEDED),
        ("b", 2, Outcome.SKIPPED),
        ("c", 3, Outcome.FAILED),
    ]
    assert [one.record for one in found[:1]] == [record("a").to_json()]
    assert found[0].place.start is Start.FIRST


def test_each_customer_has_an_emitter_and_a_chain(journal):
    journal.write(record("a"))
    journal.write(record("b", resource=BOB), record("c"))

    assert [one.place.sequence for one in signed(journal)] == [1, 2]
    assert [one.place.sequence for one in signed(journal, "bob")] == [1]
    state = journal.path.parent
    assert check_records(state, "alice").emitter != check_records(state, "bob").emitter
    assert check_records(state, "carol").emitter is None


def test_told_once_more_an_end_is_signed_once_and_never_changes(journal):
    journal.write(record("a", Outcome.FAILED))
    before = signed(journal)

    journal.write(record("a", Outcome.FAILED))
    for other in (Outcome.SUCCEEDED, None):
        with pytest.raises(JournalUnusable, match="run a is recorded already as failed"):
            journal.write(record("b"), record("a", other))

    assert signed(journal) == before
    assert [one.run.id for one in journal.runs(ALICE, limit=9)] == ["a"]


def test_who_buries_a_dead_run_signs_it(journal):
    journal.write(record("dead", None))

    Pen(journal).bury(record("next", None).run)

    (found,) = signed(journal)
    assert (found.run, found.outcome) == ("dead", Outcome.FAILED)
    assert '"ended_at":null' in found.record


def test_several_writers_at_once_make_one_chain(journal):
    running = [
        start(journal.path.parent, name, EACH, environment=dict(os.environ))
        for name in "abcd"[:WRITERS]
    ]
    assert [one.wait(60) for one in running] == [0] * WRITERS

    found = signed(journal)

    assert [one.place.sequence for one in found] == [*range(1, WRITERS * EACH + 1)]
    assert len({one.run for one in found}) == WRITERS * EACH
    assert len({one.place.chain for one in found}) == 1


def run_killed(state: Path, line: int, *how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "tests.unit.runner.killed", str(state), str(line), *how),
        env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )


def killed_at(state: Path, line: int) -> list[str]:
    """Return what was told before the kill; after the last line also how many there are."""
    done = run_killed(state, line)
    assert done.returncode == (0 if line == 0 else -9), done.stderr
    return done.stdout.split()


def test_a_kill_before_any_line_loses_no_record_and_makes_none_up(tmp_path, kills):
    *told, lines = killed_at(tmp_path / "whole", 0)
    ends = {"one": "succeeded", "two": "failed", "skipped": "skipped", "three": "partial"}
    assert told == [*ends]
    assert int(lines) > 300

    chance = random.Random(SEED)  # noqa: S311
    for line in chance.sample(range(1, int(lines) + 1), k=min(kills, int(lines))):
        journal = Journal(tmp_path / str(line))
        told = killed_at(journal.path.parent, line)

        found = {one.run: one.outcome for one in signed(journal)}
        assert found.items() <= ends.items(), line
        assert [run for run in told if run not in found] == [], line
        ended = {one.run.id for one in journal.runs(ALICE, limit=9) if one.outcome is not None}
        assert ended == found.keys() - {"skipped"}, line

        going_on = [one.run.id for one in journal.going_on("alice")]
        Pen(journal).bury(record("next", None).run)
        journal.write(record("next"))
        after = signed(journal)
        assert [one.run for one in after] == [*found, *going_on, "next"], line
        assert after[0].place.start is Start.FIRST, line


def test_a_kill_of_a_run_or_its_clerk_loses_no_record_and_makes_none_up(tmp_path, kills):
    ends = {"one": "succeeded", "two": "failed"}
    chance = random.Random(SEED)  # noqa: S311
    codes = set()
    for line in chance.sample(range(1, 500), k=min(kills, 499)):
        journal = Journal(tmp_path / str(line))

        done = run_killed(journal.path.parent, line, "clerk")

        codes.add(done.returncode)
        wait_for_clerks(journal)
        found = {one.run: one.outcome for one in signed(journal)}
        assert found.items() <= ends.items(), line
        assert [run for run in done.stdout.split() if run not in found] == [], line
        Pen(journal).bury(record("next", None).run)
        journal.write(record("next"))
        assert [one.run for one in signed(journal)][-1] == "next", line
    assert codes >= {-9, 1}, "runs were killed, and clerks"


def wait_for_clerks(journal: Journal) -> None:
    """Wait until the clerk of a killed run has written down what it was told."""
    state = str(journal.path.parent).encode()
    while any(state in words(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
        time.sleep(0.01)


def words(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def test_a_key_that_cannot_be_used_leaves_runs_unsigned_until_it_can(journal):
    state = journal.path.parent
    journal.write(record("a"))
    path = key_file(state, "alice")
    text = path.read_text()
    path.write_text("broken")

    for name in ("b", "c"):
        journal.write(record(name, None))
        with pytest.raises(EmitterUnusable, match=f"alice: {path}: it does not hold 64 hex"):
            journal.write(record(name))
    assert path.read_text() == "broken"
    assert [one.run.id for one in journal.runs(ALICE, limit=9)] == ["c", "b", "a"]
    assert journal.books("alice").owed == 2
    with pytest.raises(EmitterUnusable):
        check_records(state, "alice")

    path.write_text(text)
    assert check_records(state, "alice").owed == 2
    journal.write(record("d"))
    assert [one.run for one in signed(journal)] == ["a", "b", "c", "d"]
    assert journal.books("alice").owed == 0


def test_bobs_records_are_signed_though_alices_cannot_be(journal):
    require(journal.path.parent, "alice")
    key_file(journal.path.parent, "alice").write_text("")

    with pytest.raises(EmitterUnusable):
        journal.write(record("a"), record("b", resource=BOB))

    assert [one.run for one in signed(journal, "bob")] == ["b"]


def test_another_key_never_goes_on_with_a_chain(journal):
    journal.write(record("a"))
    path = key_file(journal.path.parent, "alice")
    other = EmitterKey.generate("alice").to_text()
    path.write_text(other)

    with pytest.raises(EmitterUnusable, match="another key than the one that signed"):
        journal.write(record("b"))

    assert path.read_text() == other
    assert (journal.books("alice").signed, journal.books("alice").owed) == (1, 1)
    with pytest.raises(EmitterUnusable, match="another key than the one that signed"):
        check_records(journal.path.parent, "alice")


def test_where_a_person_moved_the_key_away_another_one_begins_a_chain(journal):
    state = journal.path.parent
    journal.write(record("a"), record("b"))
    first = check_records(state, "alice")
    key_file(state, "alice").rename(state / "kept")
    with pytest.raises(EmitterMissing):
        check_records(state, "alice")

    journal.write(record("c"))

    found = check_records(state, "alice")
    assert [(seen.start, seen.records) for seen in found.chains] == [
        (Start.FIRST, 2),
        (Start.KEY_LOST, 1),
    ]
    assert (found.records, found.chains[0].emitter) == (3, first.emitter)
    assert found.emitter not in {None, first.emitter}


def test_a_key_without_a_journal_tells_that_one_was_lost(journal):
    journal.write(record("a"))
    journal.path.unlink()

    journal.write(record("b"))

    (found,) = signed(journal)
    assert (found.run, found.place.start) == ("b", Start.JOURNAL_LOST)


def test_a_run_that_was_cut_off_around_the_making_of_the_key_makes_nobody_speak_of_loss(
    journal, monkeypatch
):
    def cut_off(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    for place, step in ((signing, "begin"), (emitter_file, "write_new"), (Journal, "_sign")):
        with monkeypatch.context() as cut:
            cut.setattr(place, step, cut_off)
            with pytest.raises(KeyboardInterrupt):
                journal.write(record("cut-off"))

    journal.write(record("a"))

    assert [(one.run, one.place.start) for one in signed(journal)] == [("a", Start.FIRST)]


def test_a_journal_that_is_put_aside_while_a_run_ends_is_told_in_the_new_one(journal, monkeypatch):
    key = require(journal.path.parent, "alice")
    monkeypatch.setattr(journal, "_key_of", lambda _customer: key)

    journal.write(record("a"))

    (found,) = signed(journal)
    assert found.place.start is Start.JOURNAL_LOST


def test_what_ended_before_records_were_signed_stays_unsigned_and_is_not_owed(journal):
    journal.write(record("old"))
    journal.write(record("goes-on", None))
    key_file(journal.path.parent, "alice").unlink()
    change(
        journal,
        *(f"DROP TABLE {name}" for name in ("chains", "envelopes", "unsigned")),
        "PRAGMA user_version = 3",
    )
    assert check_records(journal.path.parent, "alice").records == 0

    journal.write(record("goes-on", Outcome.FAILED), record("new"))

    assert [one.run for one in signed(journal)] == ["goes-on", "new"]
    assert [one.run.id for one in journal.runs(ALICE, limit=9)] == ["new", "goes-on", "old"]


def test_envelopes_come_oldest_first_page_by_page_and_the_last_ones_alone(journal, monkeypatch):
    monkeypatch.setattr("unstoppable.runner.journal._PAGE_RECORDS", 2)
    for number in range(5):
        journal.write(record(str(number)), record(f"bob {number}", resource=BOB))

    def runs(last: int | None) -> list[str]:
        return [kept.run for kept in journal.envelopes("alice", last=last)]

    assert runs(None) == runs(5) == runs(99) == ["0", "1", "2", "3", "4"]
    assert runs(3) == ["2", "3", "4"]
    assert list(Journal(Path("/nowhere")).envelopes("alice", last=1)) == []


SWAP = "UPDATE envelopes SET envelope = (SELECT envelope FROM envelopes WHERE run = 'b')"


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["DELETE FROM envelopes WHERE run = 'b'"], "record 1: record 3 comes where 2 should"),
        (["DELETE FROM envelopes WHERE run = 'a'"], "their beginning: record 2 comes where"),
        (["DELETE FROM envelopes WHERE run = 'c'"], "record 2: run c ended and has no signed"),
        ([SWAP], "their beginning: record 2 comes where"),
        (["UPDATE envelopes SET envelope = x'00'"], "their beginning: it is no canonical JSON"),
        (["UPDATE chains SET public_key = x'00'"], "their beginning: another emitter signed it"),
        (
            ["UPDATE runs SET record = replace(record, 'failed', 'succeeded')"],
            "record 1: of run b the journal says something else than record 2",
        ),
        (["DELETE FROM runs WHERE run = 'c'"], "record 2: of run c the journal says something"),
        (["UPDATE envelopes SET run = 'x' WHERE run = 'b'"], "record 1: of run b the journal"),
    ],
)
def test_what_somebody_changed_in_the_journal_is_told(journal, statements, told):
    journal.write(record("a"), record("b", Outcome.FAILED), record("c"))
    change(journal, *statements)

    with pytest.raises(RecordsBroken) as caught:
        check_records(journal.path.parent, "alice")

    assert str(caught.value).startswith(f"the signed records of alice are broken after {told}")


def test_another_key_that_does_not_say_that_one_was_lost_is_told(journal, tmp_path):
    journal.write(record("a"))
    other = Journal(tmp_path / "other")
    other.write(record("b"))
    with closing(sqlite3.connect(journal.path)) as opened:
        opened.execute("ATTACH ? AS other", (str(other.path),))
        for table, columns in {
            "chains": "chain, customer, start, public_key",
            "envelopes": "run, chain, sequence, digest, envelope",
            "runs": "run, customer, resource, started_at, outcome, record",
        }.items():
            opened.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM other.{table}"  # noqa: S608
            )
        opened.commit()

    with pytest.raises(RecordsBroken, match="record 1: another key goes on, and does not say"):
        check_records(journal.path.parent, "alice")


def test_a_signed_record_is_json_that_anybody_reads(journal):
    journal.write(record("a"))

    (kept,) = journal.envelopes("alice")

    assert json.loads(kept.envelope).keys() == {"payload", "payloadType", "signatures"}
    assert b"\n" not in kept.envelope
