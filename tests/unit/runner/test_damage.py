"""Whatever happened to the journal's files, the next run is recorded, or says why it is not."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.runner.record import ALICE, BEGAN, MAIL, record
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import JournalDamaged, JournalLost, JournalSetAside
from unstoppable.domain.record_form import Start
from unstoppable.domain.schedule import Schedule
from unstoppable.runner.journal import Journal
from unstoppable.runner.pen import Pen
from unstoppable.runner.planner import Planner, Running
from unstoppable.runner.records_check import check_records
from unstoppable.runner.tick import RunsKnown, look

SEED = 20240229
NEW = record("new")


def run_and_record(journal: Journal) -> Pen:
    pen = Pen(journal)
    pen.is_served(NEW.run)
    pen.write(record("new", None))
    pen.bury(NEW.run)
    pen.write(NEW)
    return pen


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The state of a machine with a dozen records, one of a run that is going on."""
    journal = Journal(tmp_path / "whole")
    for number in range(12):
        journal.write(record(f"run-{number}", resource=MAIL if number % 3 else ALICE))
    journal.write(record("killed", None))
    return journal.path.parent


def flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(1, len(content)) :]


def blank(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(1, len(content) // 4096) * 4096
    content[start : start + 4096] = bytes(4096)


@pytest.mark.parametrize("damage", [flip, cut, blank])
def test_after_any_damage_the_next_run_is_on_record_or_says_why_not(whole, tmp_path, damage, kills):
    chance = random.Random(SEED)  # noqa: S311
    recorded = 0
    for number in range(kills):
        state = tmp_path / str(number)
        shutil.copytree(whole, state)
        journal = Journal(state)
        content = bytearray(journal.path.read_bytes())
        damage(content, chance)
        journal.path.write_bytes(content)

        pen = run_and_record(journal)

        if pen.failure is None:
            assert journal.runs(ALICE, limit=1) == [NEW]
            recorded += 1
        else:
            assert "the journal " in str(pen.failure)
        if isinstance(pen.set_aside, JournalSetAside):
            assert Path(str(pen.set_aside.facts["aside"])).stat().st_size >= len(content)
            assert check_records(state, "alice").chains[0].start is Start.JOURNAL_LOST
    assert recorded >= kills * 0.9


def beside_its_log(whole: Path, state: Path) -> Journal:
    """Return the journal of a machine that lost power: its last record is in the log alone."""
    journal = Journal(whole)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchall()
        journal.write(record("last"))
        shutil.copytree(whole, state)
    return Journal(state)


def delete(log: Path) -> None:
    log.unlink()


def empty(log: Path) -> None:
    log.write_bytes(b"")


def shorten(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-9])


def garble(log: Path) -> None:
    log.write_bytes(b"\x5a" * log.stat().st_size)


def leave(log: Path) -> None:
    assert log.stat().st_size > 0


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
@pytest.mark.parametrize("damage", [leave, delete, empty, shorten, garble])
def test_what_sqlite_left_beside_it_may_be_lost_and_nothing_else_is(
    whole, tmp_path, damage, ending
):
    journal = beside_its_log(whole, tmp_path / "state")
    damage(Path(f"{journal.path}{ending}"))

    pen = run_and_record(journal)

    assert (pen.failure, pen.set_aside) == (None, None)
    runs = [one.run.id for one in journal.runs(ALICE, limit=9)]
    assert runs[0] == "new"
    assert {f"run-{number}" for number in (0, 3, 6, 9)} < set(runs)
    assert ("last" in runs) == (ending == "-shm" or damage is leave)
    assert check_records(journal.path.parent, "alice").records == len(runs) + 8


LOSSES: list[Callable[[Path], object]] = [Path.unlink, empty]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_journal_that_is_gone_is_never_silently_made_anew(whole, loss):
    journal = Journal(whole)
    loss(journal.path)

    pen = run_and_record(journal)

    assert isinstance(pen.set_aside, JournalLost)
    told = f"the journal {journal.path} was lost: it knows nothing of what alice's key signed; "
    assert str(pen.set_aside).startswith(told)
    assert pen.failure is None
    assert run_and_record(Journal(whole)).set_aside is None, "it is told once"


def test_a_tick_tells_that_it_is_gone_where_it_records_what_was_skipped(whole):
    journal = Journal(whole)
    journal.path.unlink()
    journal.write(record("begun", None))

    found, troubles = look(
        RunsKnown(journal), ALICE, Schedule.parse("0 * * * *"), BEGAN + timedelta(hours=3)
    )

    assert found.missed
    assert [type(trouble) for trouble in troubles] == [JournalLost]


def test_a_planner_tells_that_it_is_gone_where_it_skips_what_does_not_wait(whole):
    journal, complaints = Journal(whole), list[UnstoppableError]()
    journal.path.unlink()
    planner = Planner[Running](
        RunsKnown(journal, lambda _resource: "another's"),
        lambda _resource, _slot: pytest.fail("the lane is taken"),
        most_at_once=1,
        complain=complaints.append,
    )
    planner.plan({ALICE: Schedule.parse("0 * * * *")}, BEGAN, {ALICE})

    planner.step(BEGAN)

    assert [one.outcome for one in journal.runs(ALICE, limit=9)] == [Outcome.SKIPPED]
    assert [type(one) for one in complaints] == [JournalLost]


def test_a_record_whose_text_was_changed_puts_the_journal_aside_when_it_is_met(whole):
    journal = Journal(whole)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as opened:
        opened.execute("""UPDATE runs SET record = replace(record, '"pid":1', '"pie":1')""")
    with pytest.raises(JournalDamaged, match="a record is none"):
        journal.runs(ALICE, limit=1)

    pen = run_and_record(journal)

    assert isinstance(pen.set_aside, JournalSetAside)
    assert journal.runs(ALICE, limit=9) == [NEW]


def test_a_clock_that_was_put_back_changes_no_order(whole):
    journal = Journal(whole)
    earlier = replace(
        record("earlier", Outcome.PARTIAL),
        run=replace(record("earlier").run, started_at=BEGAN - timedelta(days=400)),
    )

    journal.write(earlier)

    assert journal.runs(ALICE, limit=1) == [earlier]
    assert next(iter(journal.telling(ALICE))) == earlier
    assert [kept.run for kept in journal.envelopes("alice", last=1)] == ["earlier"]
    assert check_records(whole, "alice").records == 13
