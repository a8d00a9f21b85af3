import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.outcome import EXIT_CODES, NOTES, ExitCode, Outcome, outcome_of_backup

KINDS = st.lists(st.sampled_from([*NOTES, "unreadable", "shrunk", "new-kind"]))


def judged(*kinds: str, tags: tuple[str, ...] = (), is_cancelled: bool = False) -> Outcome:
    return outcome_of_backup(issue_kinds=kinds, tags=tags, is_cancelled=is_cancelled)


def test_exit_codes_are_an_interface_and_never_change():
    assert {code.name: code.value for code in ExitCode} == {
        "SUCCEEDED": 0,
        "FAILED": 1,
        "USAGE": 2,
        "PARTIAL": 3,
        "NO_REPOSITORY": 10,
        "SKIPPED": 11,
        "WRONG_KEY": 12,
        "CANCELLED": 130,
    }
    assert set(EXIT_CODES) == set(Outcome)


@pytest.mark.parametrize("note", sorted(NOTES))
def test_a_note_takes_nothing_from_a_backup(note):
    assert judged(note) is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "kind", ["unreadable", "listing", "shrunk", "rewritten", "empty-source", "source-shrank"]
)
def test_what_was_not_stored_as_it_is_makes_a_run_partial(kind):
    assert judged("grew", kind) is Outcome.PARTIAL


def test_a_kind_nobody_has_heard_of_never_passes_for_success():
    assert judged("kind-of-next-year") is Outcome.PARTIAL


def test_a_run_that_ended_early_is_cancelled_or_failed_whatever_else_happened():
    assert judged("shrunk", tags=("incomplete",), is_cancelled=True) is Outcome.CANCELLED
    assert judged(tags=("incomplete",)) is Outcome.FAILED


def test_a_wish_to_stop_that_came_too_late_changes_nothing():
    assert judged(is_cancelled=True) is Outcome.SUCCEEDED


@given(kinds=KINDS, more=KINDS)
def test_more_issues_never_make_a_run_better(kinds, more):
    order = [Outcome.SUCCEEDED, Outcome.PARTIAL]

    assert order.index(judged(*kinds, *more)) >= order.index(judged(*kinds))
