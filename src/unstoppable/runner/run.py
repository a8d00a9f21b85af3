"""One backup run, from the lane to the journal."""

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from unstoppable.domain import errors
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.limit_errors import RunStopped
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import EXIT_CODES, KEPT, ExitCode, Outcome, outcome_of_backup
from unstoppable.domain.record_errors import JournalLost, JournalSetAside
from unstoppable.domain.run import (
    ISSUES_KEPT,
    Counts,
    Opened,
    RecordedIssue,
    Run,
    RunRecord,
    readable,
    run_id,
)
from unstoppable.domain.snapshot import Stored
from unstoppable.domain.source_errors import ServerLost
from unstoppable.engine import Repository, Source, Watch
from unstoppable.runner import lane, machine, pins_file
from unstoppable.runner.clerk import Clerk
from unstoppable.runner.journal import Journal
from unstoppable.runner.mounts import MountGuard
from unstoppable.runner.pen import Pen
from unstoppable.runner.plan import Installation
from unstoppable.runner.run_journal import RunJournal
from unstoppable.runner.watchdog import NOTHING_KEPT, PATIENCE, Patience, Watchdog

_LAST_WORDS_SECONDS = 30.0
"""How long a run that is killed may take to be recorded: the journal may hang as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run ended."""

    record: RunRecord
    stored: Stored | None = None
    error: errors.UnstoppableError | None = None
    unrecorded: errors.UnstoppableError | None = None
    """Why the journal does not know of it, or not signed; None if it does."""
    set_aside: JournalSetAside | JournalLost | None = None
    """The journal, damaged or lost, in whose place a new one was begun."""

    @property
    def exit_code(self) -> int:
        """The run's own; a backup that is not on record has failed."""
        if self.unrecorded and self.record.outcome in KEPT:
            return ExitCode.FAILED
        return self.record.exit_code or ExitCode.SUCCEEDED


def _say_nothing(_error: errors.UnstoppableError) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms a run is made."""

    slot_at: datetime | None = None
    """The due moment it serves; None for a run that a person started."""
    max_runtime_hours: int | None = None
    """How long it may take as a whole, once there is a complete snapshot; None for any time."""
    is_impatient: bool = False
    """Whether the slot does not wait for other resources of the customer."""
    patience: Patience = PATIENCE
    complain: Callable[[errors.UnstoppableError], None] = _say_nothing
    """Tells why a run is killed that does not end by itself."""
    sign: Callable[[], None] = lambda: None
    """Gives whoever started it a sign of life, now and then."""


BY_HAND = Terms()


def now() -> datetime:
    """Return the time, UTC, in whole seconds as records and snapshots keep it."""
    return datetime.now(UTC).replace(microsecond=0)


def new_run(resource: ResourceName, slot_at: datetime | None = None) -> Run:
    """Return a run that starts now: for a slot, or because a person wants it."""
    started_at = datetime.now(UTC)
    return Run(
        id=run_id(started_at, secrets.token_hex(4)),
        resource=resource,
        slot_at=slot_at,
        started_at=started_at.replace(microsecond=0),
        pid=os.getpid(),
        host=machine.host(),
        program_version=machine.program_version(),
    )


def back_up(
    installation: Installation,
    source: Source,
    watch: Watch,
    terms: Terms = BY_HAND,
    clerk: Clerk | None = None,
) -> Verdict:
    """Make a backup, for a slot where one is due, and return how it ended, whatever happens.

    1. The lane is taken. A slot that somebody else served meanwhile is left alone.
    2. The run is recorded as going on; others of this customer without an outcome are dead, and
       recorded so.
    3. Key, pins, what should be mounted, source, backup, proof on cold.
    4. The outcome is recorded while the lane is still held, so that no other run calls this dead.

    A clerk keeps the journal where this process cannot open it; then the run is the clerk's.

    A journal that cannot be written stops no backup, and the verdict says so; but one that is
    late for its slot, because it would be made again with each tick. One that is damaged is put
    aside, and the run is recorded in a new one.

    A run that takes too long, or stands still, is stopped, and fails. Where it does not stop, this
    process is ended once that is on record.
    """
    run = new_run(installation.resource, terms.slot_at) if clerk is None else clerk.run
    journal = Journal(installation.state) if clerk is None else clerk
    pen, guard = Pen(journal), MountGuard(journal, run.resource, source)
    watchdog = Watchdog(
        run.resource,
        watch.cancel,
        terms.patience,
        kill=lambda why: _die(journal, run, why, terms),
        sign=terms.sign,
    )
    try:
        with watchdog, lane.hold(lane.lane_file(installation.hot, run.resource), run):
            if pen.is_served(run):
                return _failed(run, errors.SlotServed(resource=run.resource))
            pen.write(RunRecord(run=run))
            if pen.failure is not None and run.is_late:
                return replace(_failed(run, pen.failure), set_aside=pen.set_aside)
            pen.bury(run)
            if pen.has_complete(run):
                watchdog.allow(terms.max_runtime_hours)
            followed = watchdog.following(watch)
            work = _Work(installation, guard, run, followed)
            is_on_server = isinstance(source.place, FtpsSource)
            lost = ServerLost if is_on_server else errors.SourceLost
            verdict = _attempt(run, work.store, followed, lost=lost, stopped=watchdog.error)
            watchdog.leave()
            verdict = work.named(verdict)
            pen.write(verdict.record)
    except (errors.Busy, errors.FolderUnusable) as error:
        verdict = _failed(run, error)
        is_busy = isinstance(error, errors.Busy) and not terms.is_impatient
        if run.slot_at is None or not is_busy or pen.is_at_work(run):
            pen.write(verdict.record)
        # Else it is something else that is at work, and the next tick finds the slot still due.
    return replace(verdict, unrecorded=pen.failure, set_aside=pen.set_aside)


@dataclass(slots=True)
class _Work:
    """What a run does in its lane."""

    installation: Installation
    guard: MountGuard
    run: Run
    watch: Watch
    opened: Opened | None = None

    def store(self) -> Stored:
        resource = self.run.resource
        pins = pins_file.require(self.installation.pins_file, resource)
        places = self.installation.places(pins)
        key = self.installation.key.of_repository(places)
        repository = Repository.open(places, key, pins, mode="append")
        self.opened = Opened.of(repository.pins)
        if self.watch.cancel.is_set():
            raise errors.Cancelled(resource=resource)
        self.guard.check_source()
        return self.guard.judge(repository.backup(self.guard.source, self.run, self.watch))

    def named(self, verdict: Verdict) -> Verdict:
        """Return how it ended, with the repository that it opened, however it ended."""
        return replace(verdict, record=replace(verdict.record, repository=self.opened))


def _never_stopped(_kept: str = NOTHING_KEPT) -> RunStopped | None:
    return None


def _attempt(
    run: Run,
    store: Callable[[], Stored],
    watch: Watch,
    *,
    lost: type[errors.SourceLost] = errors.SourceLost,
    stopped: Callable[[str], RunStopped | None] = _never_stopped,
) -> Verdict:
    try:
        stored, is_cancelled = store(), watch.cancel.is_set()
        found = _stored(run, stored, is_cancelled=is_cancelled, lost=lost)
    except errors.Cancelled as error:
        return _failed(run, stopped(NOTHING_KEPT) or error)
    except errors.UnstoppableError as error:
        return _failed(run, error)
    except Exception as error:  # noqa: BLE001 - the outermost place: it becomes a record
        return _failed(run, errors.unexpected(error))
    why = stopped(f"incomplete snapshot {found.record.snapshot_id or '':.8} was kept")
    if why is None or found.record.outcome is not Outcome.CANCELLED:
        return found
    record = RunRecord.of_error(run, why, ended_at=found.record.ended_at)
    kept = {name: getattr(found.record, name) for name in ("snapshot_id", "counts", "issues")}
    return Verdict(record=replace(record, **kept), stored=found.stored, error=why)


def _die(journal: RunJournal, run: Run, why: RunStopped, terms: Terms) -> None:
    """Record and tell why a run is killed, as far as that does not hang too, and end the process.

    The lane is still held: nobody else calls this run dead before it is recorded. Who started it
    hears why also where the journal hangs, and records it later.
    """
    until = time.monotonic() + _LAST_WORDS_SECONDS
    words = (
        lambda: Pen(journal).write(RunRecord.of_error(run, why, ended_at=now())),
        lambda: terms.complain(why),
    )
    each = [threading.Thread(target=word, daemon=True) for word in words]
    for one in each:
        one.start()
    for one in each:
        one.join(max(0.0, until - time.monotonic()))
    os._exit(why.exit_code)


def _stored(
    run: Run,
    stored: Stored,
    *,
    is_cancelled: bool,
    lost: type[errors.SourceLost] = errors.SourceLost,
) -> Verdict:
    # The engine counts all problems but keeps only the first issues.
    kinds = {issue.kind for issue in stored.issues} | ({"more"} if stored.issue_count else set())
    outcome = outcome_of_backup(issue_kinds=kinds, tags=stored.tags, is_cancelled=is_cancelled)
    error = None
    if outcome is Outcome.FAILED:
        error = lost(resource=run.resource, snapshot=stored.snapshot_id[:8])
    problems = [issue for issue in stored.issues if not issue.is_note]
    record = RunRecord(
        run=run,
        ended_at=now(),
        outcome=outcome,
        exit_code=EXIT_CODES[outcome],
        message=readable(error) if error else None,
        snapshot_id=stored.snapshot_id,
        counts=Counts.of(stored),
        issues=tuple(RecordedIssue.of(issue) for issue in problems[:ISSUES_KEPT]),
    )
    return Verdict(record=record, stored=stored, error=error)


def _failed(run: Run, error: errors.UnstoppableError) -> Verdict:
    return Verdict(record=RunRecord.of_error(run, error, ended_at=now()), error=error)
