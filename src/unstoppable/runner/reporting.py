"""Records to the reporters of a customer: each at least once, in order, until they are taken."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from unstoppable.domain.delivery import Meaning, is_due, pause_seconds
from unstoppable.domain.delivery_errors import RecordPassedOver, ReporterAway, ReporterRefuses
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.run import RunRecord
from unstoppable.domain.text import count
from unstoppable.runner.journal import Journal
from unstoppable.runner.outbox import Channel, Outbox, Reported
from unstoppable.runner.post import Answer, Post

BATCH = 100
"""How many records go out in one look."""
LOOK_SECONDS = 15.0
"""How long one look goes on: a reporter that is slow keeps nobody else from being told."""
KIND = "application/vnd.dsse.envelope.v1+json"
TOLD_AFTER = 3
"""Failures in a row after which a person is told: one lost packet is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for a reporter."""

    customer: str
    reporter: str
    records: int
    since: datetime | None
    """When the oldest of them ended; None where nothing waits."""
    cause: str
    """Why it was not taken, as far as somebody tried."""
    passed_over: int


def chance() -> float:
    """Return a number from 0 to 1."""
    return random.random()  # noqa: S311 - nobody gains by guessing it


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What whoever tells others of runs does it with."""

    outbox: Outbox
    journal: Journal
    post: Post
    now: Callable[[], datetime]


def report(means: Means, customer: str, reporter: str) -> tuple[list[UnstoppableError], bool]:
    """Send what a reporter was not told yet of a customer, as far as one look goes.

    Returns what a person must be told, and whether more waits that may be sent at once.

    Raises OutboxUnusable or JournalUnusable.
    """
    outbox, now = means.outbox, means.now
    names = (_own(customer, reporter), _server(reporter))
    failing = {channel.name: channel for channel in outbox.channels(names)}
    own, server = (failing.get(name) or Channel(name=name) for name in names)
    moment = now().timestamp()
    if not is_due(own.retry_at, moment) or not is_due(server.retry_at, moment):
        return [], False
    reported = outbox.reported(customer, reporter)
    page = means.journal.after(customer, reported.run, limit=BATCH)
    if page:
        outbox.require()
    until = time.monotonic() + LOOK_SECONDS
    for kept in page:
        answer = means.post.send(reporter, kept.envelope, KIND)
        if answer.meaning is not Meaning.ACCEPTED:
            if _is_about_record(answer, reported, own):
                passed = replace(reported, run=kept.run)
                return _pass_over(outbox, (customer, reporter), passed, answer), True
            return _failed(outbox, own, server, answer, now()), False
        if own.failures or server.failures:
            outbox.mend(own.name, server.name)
            own, server = Channel(name=own.name), Channel(name=server.name)
        reported = replace(reported, run=kept.run, is_accepted=True)
        outbox.note_reported(customer, reporter, reported)
        if time.monotonic() > until:
            return [], True
    return [], len(page) == BATCH


def _is_about_record(answer: Answer, reported: Reported, own: Channel) -> bool:
    """Return whether it is the record, not who sends it: the one before it was taken."""
    return (
        answer.meaning is Meaning.RECORD_REFUSED
        and reported.is_accepted
        and own.failures + 1 >= TOLD_AFTER
    )


def _pass_over(
    outbox: Outbox, whom: tuple[str, str], reported: Reported, answer: Answer
) -> list[UnstoppableError]:
    """Go on with the record after it: if that is refused as well, it was not the record."""
    customer, reporter = whom
    passed = replace(reported, is_accepted=False, passed_over=reported.passed_over + 1)
    outbox.note_reported(customer, reporter, passed)
    outbox.mend(_own(customer, reporter))
    run = reported.run
    return [RecordPassedOver(reporter=reporter, run=run, customer=customer, cause=answer.cause)]


def _failed(
    outbox: Outbox, own: Channel, server: Channel, answer: Answer, moment: datetime
) -> list[UnstoppableError]:
    is_away = answer.meaning is Meaning.BROKEN
    failing = server if is_away else own
    if not note_failure(outbox, failing, answer, moment):
        return []
    if not is_news(failing, answer):
        return []
    outbox.note_told(failing.name)
    customer, reporter = own.name.split(" ", 2)[1:]
    if is_away or not _is_refusal(answer):
        return [ReporterAway(reporter=reporter, cause=answer.cause)]
    return [ReporterRefuses(reporter=reporter, customer=customer, cause=answer.cause)]


def is_news(failing: Channel, answer: Answer) -> bool:
    """Return whether a person is to be told: at once of a refusal, of an outage if it lasts."""
    return not failing.is_told and (_is_refusal(answer) or failing.failures + 1 >= TOLD_AFTER)


def _is_refusal(answer: Answer) -> bool:
    return answer.meaning in {Meaning.REFUSED, Meaning.RECORD_REFUSED}


def note_failure(outbox: Outbox, failing: Channel, answer: Answer, moment: datetime) -> bool:
    """Keep that a way failed, and when it is tried again; False where others did meanwhile."""
    pause = pause_seconds(failing.failures + 1, chance=chance(), asked=answer.seconds_asked)
    return outbox.fail(
        failing, cause=answer.cause, retry_at=moment.timestamp() + pause, moment=moment
    )


def waiting(outbox: Outbox, journal: Journal, customer: str, reporter: str) -> Waiting:
    """Return what waits for a reporter; raises OutboxUnusable or JournalUnusable."""
    reported = outbox.reported(customer, reporter)
    first = journal.after(customer, reported.run, limit=1)
    records = journal.count_after(customer, reported.run) if first else 0
    failing = outbox.channels([_own(customer, reporter), _server(reporter)])
    causes = [channel.cause for channel in failing]
    owed = journal.owed(customer)
    if owed:
        causes.append(f"{count(len(owed), 'record')} not signed, until the key for it can be used")
    oldest = owed[0] if owed else None
    if first and first[0].record is not None:
        oldest = RunRecord.from_json(first[0].record)
    return Waiting(
        customer=customer,
        reporter=reporter,
        records=records + len(owed),
        since=None if oldest is None else oldest.ended_at or oldest.run.started_at,
        cause="; ".join(causes),
        passed_over=reported.passed_over,
    )


def try_again(means: Means, customer: str, reporter: str) -> Answer:
    """Return what a reporter answers now, to what waits or else to the last record once more.

    Raises OutboxUnusable or JournalUnusable.
    """
    outbox = means.outbox
    before = outbox.reported(customer, reporter).run
    if means.journal.after(customer, before, limit=1):
        outbox.mend(_own(customer, reporter), _server(reporter))
        report(means, customer, reporter)
        for failing in outbox.channels([_own(customer, reporter), _server(reporter)]):
            return Answer(meaning=Meaning.REFUSED, cause=failing.cause)
        return Answer(meaning=Meaning.ACCEPTED, cause="it took what waited")
    for kept in means.journal.envelopes(customer, last=1):
        answer = means.post.send(reporter, kept.envelope, KIND)
        if answer.meaning is Meaning.ACCEPTED:
            return replace(answer, cause="it took the last record once more")
        return answer
    answer = means.post.look(reporter)
    is_there = answer.meaning is not Meaning.BROKEN
    told = f"{answer.cause}, and there is no record yet that it could take"
    return Answer(meaning=Meaning.ACCEPTED if is_there else Meaning.BROKEN, cause=told)


def _own(customer: str, reporter: str) -> str:
    return f"reporter {customer} {reporter}"


def _server(reporter: str) -> str:
    return f"server {reporter}"
