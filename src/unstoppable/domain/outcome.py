"""How a run ends, and the rule that says so."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What a command tells its caller; an interface, so a number never changes its meaning."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    NO_REPOSITORY = 10
    SKIPPED = 11
    WRONG_KEY = 12
    CANCELLED = 130


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


KEPT = (Outcome.SUCCEEDED, Outcome.PARTIAL)
"""Outcomes of runs that left a backup."""

EXIT_CODES = {
    Outcome.SUCCEEDED: ExitCode.SUCCEEDED,
    Outcome.PARTIAL: ExitCode.PARTIAL,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.SKIPPED: ExitCode.SKIPPED,
    Outcome.CANCELLED: ExitCode.CANCELLED,
}
"""A failed run has a code of its own where its error names one."""

NOTES = frozenset(
    {
        "vanished",
        "grew",
        "attributes",
        "own-files",
        "hot-incomplete",
        "hot-mended",
        "ignored-object",
    }
)
"""Kinds of issues that are told but take nothing from a backup; every other kind makes it partial,
so a kind nobody here has heard of never passes for success."""

INCOMPLETE = "incomplete"
"""The tag of a snapshot whose run ended early: a parent of the next one, never a success."""


def outcome_of_backup(
    *, issue_kinds: Iterable[str], tags: Iterable[str], is_cancelled: bool
) -> Outcome:
    """Return how a run ended that left a snapshot.

    A snapshot that is incomplete though nobody cancelled means that the source was lost.
    """
    if INCOMPLETE in tags:
        return Outcome.CANCELLED if is_cancelled else Outcome.FAILED
    if any(kind not in NOTES for kind in issue_kinds):
        return Outcome.PARTIAL
    return Outcome.SUCCEEDED
