import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Counts, RecordedIssue, Run, RunRecord, run_id
from unstoppable.domain.snapshot import Issue

MOMENTS = st.integers(0, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
NUMBERS = st.integers(0, 2**53)
RUNS = st.builds(
    Run,
    id=st.text("0123456789abcdef-", min_size=1),
    resource=st.just(ResourceName(customer="alice", resource="www")),
    slot_at=st.none() | MOMENTS,
    started_at=MOMENTS,
    pid=st.integers(1, 2**22),
)
COUNTS = st.builds(Counts, **dict.fromkeys(Counts.__slots__, NUMBERS))
RECORDS = st.builds(
    RunRecord,
    run=RUNS,
    ended_at=st.none() | MOMENTS,
    outcome=st.none() | st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 255),
    message=st.none() | st.text("abc: äß"),
    snapshot_id=st.none() | st.text("abcdef"),
    counts=st.none() | COUNTS,
    issues=st.lists(
        st.builds(
            Issue, kind=st.just("x"), path=st.binary(), message=st.text(), is_note=st.booleans()
        ).map(RecordedIssue.of)
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


def test_a_record_of_the_largest_issues_stays_small():
    issue = Issue(kind="unreadable", path=b"\xff" * 4096, message="\x00" * 4096, is_note=False)
    run = Run(
        id="r",
        resource=ResourceName(customer="a", resource="b"),
        slot_at=None,
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
        pid=1,
    )

    record = RunRecord(run=run, issues=(RecordedIssue.of(issue),) * 10)

    assert len(record.to_json().encode()) < 10_000


def test_run_ids_sort_by_time():
    early = run_id(datetime(2026, 11, 24, 8, 30, 0, 12345, tzinfo=UTC), "ffffffff")
    late = run_id(datetime(2026, 11, 24, 8, 30, 0, 12346, tzinfo=UTC), "00000000")

    assert early == "20261124-083000-012345-ffffffff"
    assert early < late


def test_a_record_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version"):
        RunRecord.from_json('{"version": 2}')
