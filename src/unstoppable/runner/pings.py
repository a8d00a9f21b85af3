"""Pings for people who have no reporter: that a run began, and how it ended."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from unstoppable.domain.delivery import (
    Meaning,
    Ping,
    chosen,
    is_due,
    ping_address,
    ping_of,
    ping_run_id,
    words,
)
from unstoppable.domain.delivery_errors import PingFailed, PingUrlInvalid
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.run import RunRecord
from unstoppable.domain.schedule import Schedule
from unstoppable.domain.secret import Secret
from unstoppable.runner.outbox import Channel, Outbox
from unstoppable.runner.post import Answer, Post
from unstoppable.runner.reporting import Means, is_news, note_failure

KIND = "text/plain; charset=utf-8"
_UNREAD_SECONDS = 300
_LOOKED_AT = 20
"""Runs of a resource that may not have been told yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinged:
    """Who is pinged of a resource."""

    resource: ResourceName
    schedule: Schedule
    name: str
    """What the setting of its address is called."""
    secret: Secret
    is_running: Callable[[RunRecord], bool]
    """Whether a run without an outcome is going on."""

    def address(self) -> str:
        """Return the ping URL; raises PingUrlInvalid, or what hinders."""
        try:
            return ping_address(self.secret.resolve())
        except ValueError as error:
            raise PingUrlInvalid(name=self.name, reason=error) from error


def ping(means: Means, pinged: Pinged) -> list[UnstoppableError]:
    """Tell what was not told yet of a resource's runs; returns what a person must be told.

    Raises OutboxUnusable or JournalUnusable.
    """
    outbox, now, resource = means.outbox, means.now, pinged.resource
    runs = means.journal.latest(resource, limit=_LOOKED_AT)
    told = outbox.pinged(resource)
    waiting = [run for run in runs if _key(run) not in told]
    channel = outbox.channel(_channel(resource))
    if not waiting or not is_due(channel.retry_at, now().timestamp()):
        return []
    ended = [run for run in reversed(waiting) if run.outcome is not None]
    begun = [run for run in waiting if run.outcome is None][:1]
    owed = {run.run.id for run in means.journal.owed(resource.customer)} if ended else set()
    todo = [_told(run, pinged.schedule, now(), owed) for run in chosen(ended)]
    if begun and pinged.is_running(begun[0]):
        todo += [(Ping.START, run, words(run)) for run in begun]
    if not todo:
        return []
    try:
        address = pinged.address()
    except UnstoppableError as error:
        # Asked for too soon, an identity whose secret is wrong would be locked out.
        cause, pause = str(error), _UNREAD_SECONDS
        answer = Answer(meaning=Meaning.REFUSED, cause=cause, seconds_asked=pause)
        return _failed(outbox, channel, resource, answer, now())
    server = outbox.channel(f"pings {_digest(address)}")
    if not is_due(server.retry_at, now().timestamp()):
        return []
    outbox.require()
    for kind, run, said in todo:
        answer = send(means.post, address, kind, run, said)
        if answer.meaning is not Meaning.ACCEPTED:
            if answer.meaning is Meaning.BROKEN:
                note_failure(outbox, server, answer, now())
            return _failed(outbox, channel, resource, answer, now())
        if channel.failures or server.failures:
            outbox.mend(channel.name, server.name)
        outbox.note_pinged(resource, [_key(run)], [run.run.id for run in runs])
    outbox.note_pinged(resource, map(_key, ended), [run.run.id for run in runs])
    return []


def _told(
    run: RunRecord, schedule: Schedule, moment: datetime, owed: Collection[str]
) -> tuple[Ping, RunRecord, str]:
    is_signed = run.run.id not in owed
    kind = ping_of(run, schedule, moment, is_signed=is_signed)
    return kind, run, words(run, is_signed=is_signed)


def send(post: Post, address: str, kind: Ping, run: RunRecord, said: str) -> Answer:
    """Send one ping; `address` is what `ping_address` returned."""
    body = said.encode()
    return post.send(address + kind.value, body, KIND, {"rid": ping_run_id(run.run.id)})


def test(post: Post, address: str, words: bytes) -> Answer:
    """Send a ping that changes nothing; `address` is what `ping_address` returned."""
    return post.send(address + Ping.LOG.value, words, KIND)


def waiting_since(outbox: Outbox, resource: ResourceName) -> Channel | None:
    """Return why pings of a resource do not arrive; None where they do."""
    return next(iter(outbox.channels([_channel(resource)])), None)


def _failed(
    outbox: Outbox, channel: Channel, resource: ResourceName, answer: Answer, moment: datetime
) -> list[UnstoppableError]:
    if not note_failure(outbox, channel, answer, moment):
        return []
    if not is_news(channel, answer):
        return []
    outbox.note_told(channel.name)
    return [PingFailed(resource=resource, cause=answer.cause)]


def _key(run: RunRecord) -> tuple[str, bool]:
    return run.run.id, run.outcome is not None


def _channel(resource: ResourceName) -> str:
    return f"ping {resource}"


def _digest(address: str) -> str:
    """Return what stands for the server of an address, which is a secret."""
    found = urlsplit(address)
    return hashlib.sha256(f"{found.scheme}://{found.netloc}".encode()).hexdigest()[:16]
