import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.canonical import LARGEST_NUMBER
from unstoppable.domain.errors import Busy
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import (
    HOST_KEPT,
    LARGEST_RECORD_BYTES,
    PROGRAM_KEPT,
    Counts,
    Opened,
    RecordedIssue,
    Run,
    RunRecord,
    run_id,
)
from unstoppable.domain.snapshot import Issue

MOMENTS = st.integers(0, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
NUMBERS = st.integers(0, LARGEST_NUMBER)
RUNS = st.builds(
    Run,
    id=st.text("0123456789abcdef-", min_size=1),
    resource=st.just(ResourceName(customer="alice", resource="www")),
    slot_at=st.none() | MOMENTS,
    started_at=MOMENTS,
    pid=st.integers(1, 2**22),
    host=st.none() | st.text("abc"),
    program_version=st.none() | st.text("abc"),
)
COUNTS = st.builds(Counts, **dict.fromkeys(Counts.__slots__, NUMBERS))
RECORDS = st.builds(
    RunRecord,
    run=RUNS,
    ended_at=st.none() | MOMENTS,
    outcome=st.none() | st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 255),
    message=st.none() | st.text("abc: äß"),
    repository=st.none()
    | st.builds(Opened, id=st.text("abc"), generation=NUMBERS, key_fingerprint=st.text("abc")),
    snapshot_id=st.none() | st.text("abcdef"),
    counts=st.none() | COUNTS,
    issues=st.lists(
        st.builds(
            Issue, kind=st.just("x"), path=st.binary(), message=st.text(), is_note=st.booleans()
        ).map(RecordedIssue.of),
        max_size=5,
    ).map(tuple),
)


@given(RECORDS)
def test_what_is_written_is_read_again(record):
    assert RunRecord.from_json(record.to_json()) == record


@given(RECORDS)
def test_a_record_is_canonical(record):
    text = record.to_json()

    assert text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert not any(isinstance(value, float) for value in json.loads(text).values())
    text.encode()


LARGEST = RunRecord(
    run=Run(
        id="9" * 100,
        resource=ResourceName(customer="a" * 20, resource="b" * 20),
        slot_at=datetime.fromtimestamp(2**33, UTC),
        started_at=datetime.fromtimestamp(2**33, UTC),
        pid=2**22,
        host="𐀀" * HOST_KEPT,
        program_version="𐀀" * PROGRAM_KEPT,
    ),
    ended_at=datetime.fromtimestamp(2**33, UTC),
    outcome=Outcome.CANCELLED,
    exit_code=130,
    message="𐀀" * 99_999,
    repository=Opened(id="f" * 64, generation=2**32 - 1, key_fingerprint="f" * 64),
    snapshot_id="f" * 64,
    counts=Counts(**dict.fromkeys(Counts.__slots__, 2**64)),
    issues=(
        RecordedIssue.of(
            Issue(kind="𐀀" * 99, path="𐀀".encode() * 999, message="𐀀" * 999, is_note=False)
        ),
    )
    * 99,
)


def test_a_record_of_the_longest_texts_and_numbers_fits_and_can_be_read():
    text = LARGEST.to_json()

    found = RunRecord.from_json(text)
    assert len(text.encode()) <= LARGEST_RECORD_BYTES
    assert (found.message, len(found.issues)) == ("𐀀" * 1499 + "…", 1)
    assert found.counts is not None
    assert set(asdict(found.counts).values()) == {LARGEST_NUMBER}
    assert (found.run, found.outcome) == (LARGEST.run, LARGEST.outcome)


def test_issues_are_left_out_from_the_last_on_and_no_more_than_needed():
    issues = tuple(replace(LARGEST.issues[0], kind=str(number)) for number in range(11))
    short = replace(LARGEST, message=None)

    kept = RunRecord.from_json(replace(short, issues=issues).to_json()).issues
    all_kept = RunRecord.from_json(
        replace(short, issues=tuple(replace(one, path="", message="") for one in issues)).to_json()
    ).issues

    assert kept == issues[: len(kept)]
    assert len(kept) == 4
    assert [one.kind for one in all_kept] == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    "message", ["\\" * 5000 + '"' * 5000, '"' * 667 + "𐀀" * 1333, "x" * 1999 + "𐀀", "€" * 2001]
)
def test_any_text_fits_and_what_was_cut_once_stays_as_it_is(message):
    text = replace(LARGEST, message=message).to_json()

    assert len(text.encode()) <= LARGEST_RECORD_BYTES
    assert RunRecord.from_json(text).to_json() == text


def test_a_record_from_before_machines_were_kept_can_be_read():
    fields = json.loads(LARGEST.to_json())
    old = {name: fields[name] for name in fields.keys() - {"host", "program_version", "repository"}}

    found = RunRecord.from_json(json.dumps(old))

    assert (found.run.host, found.run.program_version, found.repository) == (None, None, None)
    assert found.counts is not None


def test_the_record_of_an_error_tells_its_outcome_and_sentence():
    busy = Busy(resource="alice/www", holder="another")

    found = RunRecord.of_error(LARGEST.run, busy, ended_at=None)

    assert (found.outcome, found.exit_code, found.message) == (Outcome.SKIPPED, 11, str(busy))


def test_run_ids_sort_by_time():
    early = run_id(datetime(2026, 11, 24, 8, 30, 0, 12345, tzinfo=UTC), "ffffffff")
    late = run_id(datetime(2026, 11, 24, 8, 30, 0, 12346, tzinfo=UTC), "00000000")

    assert early == "20261124-083000-012345-ffffffff"
    assert early < late


def test_a_record_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version"):
        RunRecord.from_json('{"version": 2}')
