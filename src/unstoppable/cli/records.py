"""Runs and their verdicts, in words and as JSON."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from unstoppable.cli import output
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import Configuration
from unstoppable.domain.health import MOST_AHEAD
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import EmitterUnusable
from unstoppable.domain.run import Counts, RunRecord
from unstoppable.domain.text import count, duration, size
from unstoppable.runner import lane
from unstoppable.runner.journal import Journal
from unstoppable.runner.lane import UNKNOWN
from unstoppable.runner.mounts import MOUNTS_UNKNOWN, UNMOUNTED
from unstoppable.runner.run import Verdict

SHORT_ID = 8
_LOOKS = 3
_SHRANK = "source-shrank"
_DAMAGED = "damaged"
_NOTHING: Mapping[str, object] = MappingProxyType({})
UNWATCHED = "not yet watched by another machine"


def tell(
    session: Session, verdict: Verdict, *, source: str, more: Mapping[str, object] = _NOTHING
) -> int:
    """Tell how a run ended: one sentence on stdout, the rest on stderr; returns its exit code.

    In JSON there is `more` beside it.
    """
    stored = verdict.stored
    if stored is not None:
        output.issues(stored.issues, stored.issue_count + stored.note_count)
        if any(issue.kind == _SHRANK for issue in stored.issues):
            output.say("hint: if that is as it should be, `unstoppable backup --accept-shrink`")
        if any(issue.kind == UNMOUNTED for issue in stored.issues):
            output.say(
                "hint: mount it and make a backup again; what is gone for good is no longer "
                "expected after `unstoppable backup --accept-shrink`"
            )
        if any(issue.kind == MOUNTS_UNKNOWN for issue in stored.issues):
            output.say(
                "hint: a disk that is not mounted goes unnoticed: is /proc mounted, can the "
                "journal be used, and may this user read both?"
            )
        if any(issue.kind == _DAMAGED for issue in stored.issues):
            output.say("hint: `unstoppable check --read-data all` tells which snapshots are harmed")
    if verdict.error is not None:
        output.complain(verdict.error, is_verbose=session.is_verbose)
    _tell_of_journal(session, verdict)
    if session.is_json:
        output.document({**as_document(verdict.record), **more})
    elif verdict.error is None:
        output.data(sentence(verdict.record, source))
    return verdict.exit_code


def _tell_of_journal(session: Session, verdict: Verdict) -> None:
    if verdict.set_aside is not None:
        output.complain(verdict.set_aside, is_verbose=session.is_verbose)
    match verdict.unrecorded:
        case None:
            return
        case EmitterUnusable():
            output.say("error: this run is recorded, but not signed")
        case _:
            output.say("error: this run could not be recorded")
    output.complain(verdict.unrecorded, is_verbose=session.is_verbose)


def sentence(record: RunRecord, source: str) -> str:
    """Return the verdict on a run that left a snapshot, in one sentence."""
    resource, snapshot = record.run.resource, (record.snapshot_id or "")[:SHORT_ID]
    if record.outcome is Outcome.PARTIAL:
        return f"partial: {resource}: {_problem(record)}; what there is is snapshot {snapshot}"
    if record.outcome is Outcome.CANCELLED:
        return (
            f"cancelled: {resource}: what was read until then is incomplete snapshot {snapshot}, "
            "where the next run goes on"
        )
    return (
        f"stored: {source} ({amount(record.counts)}) as snapshot {snapshot} "
        f"in {took(record)}; {UNWATCHED}"
    )


def amount(counts: Counts | None) -> str:
    """Return how much a snapshot holds, such as `12,345 files, 1.2 GiB`."""
    if counts is None:
        return ""
    return f"{count(counts.files_total, 'file')}, {size(counts.bytes_total)}"


def took(record: RunRecord) -> str:
    """Return how long a run took."""
    return duration(record.ended_at - record.run.started_at) if record.ended_at else ""


def outcome(record: RunRecord, *, holder: str | None) -> str:
    """Return a run's outcome in a word; one without, that does not hold its lane, was killed."""
    if record.outcome is not None:
        return record.outcome
    return "running" if is_running(record, holder) else "killed"


def is_running(record: RunRecord, holder: str | None) -> bool:
    """Return whether a run is going on, by the run that holds its lane."""
    return record.outcome is None and holder in {record.run.id, UNKNOWN}


def at_once(
    read: Callable[[], list[RunRecord]], ask: Callable[[], str | None]
) -> tuple[list[RunRecord], str | None]:
    """Return runs that somebody reads, and who holds their lane, as both were at one moment.

    A run that begins or ends between the two would else be called killed; they are looked at again
    where one seems to be.
    """
    for look in range(_LOOKS):
        runs, holder = read(), ask()
        is_doubtful = any(run.outcome is None and not is_running(run, holder) for run in runs)
        if not is_doubtful or look == _LOOKS - 1:
            break
    return runs, holder


def telling(configuration: Configuration, moment: datetime) -> tuple[list[RunRecord], str | None]:
    """Return the runs that tell how a resource is at a moment, and who holds its lane.

    Raises JournalUnusable.
    """
    settings, resource = configuration.settings, configuration.resource
    return at_once(
        partial(Journal(settings.state).telling, resource, until=moment + MOST_AHEAD),
        partial(lane.known_holder, settings.hot, resource),
    )


def as_document(record: RunRecord) -> dict[str, Any]:
    """Return a record for JSON."""
    counts, run = record.counts, record.run
    return {
        "run": run.id,
        "resource": str(run.resource),
        "slot": run.slot_at,
        "started_at": run.started_at,
        "ended_at": record.ended_at,
        "outcome": record.outcome,
        "exit_code": record.exit_code,
        "message": record.message,
        "host": run.host,
        "program_version": run.program_version,
        "repository": record.repository and asdict(record.repository),
        "snapshot": record.snapshot_id,
        "counts": counts and {name: getattr(counts, name) for name in Counts.__slots__},
        "issues": [
            {"kind": issue.kind, "path": issue.path, "message": issue.message}
            for issue in record.issues
        ],
    }


def _problem(record: RunRecord) -> str:
    """Return what makes a run partial: the repository, the source as a whole, or its paths."""
    number = record.counts.issues if record.counts else 0
    damaged = sum(issue.kind == _DAMAGED for issue in record.issues)
    if damaged:
        return f"{count(damaged, 'object')} of the repository cannot be used"
    whole = [issue.message for issue in record.issues if not issue.path]
    if whole:
        more = f" (and {count(number - 1, 'other issue')})" if number > 1 else ""
        return whole[0] + more
    return f"{count(number, 'path')} {'was' if number == 1 else 'were'} not stored as is"
