"""Who is told of a customer's runs, and what is to be told of each resource."""

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from unstoppable.cli import records
from unstoppable.cli.configuration import PING_URL, Configuration
from unstoppable.cli.settings import Readings, read_one
from unstoppable.cli.settings_reader import Reading
from unstoppable.domain.alerts import NEVER_BACKED_UP_AFTER, Known, compose, news, seen, told
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.health import health
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import RunRecord
from unstoppable.runner import lane
from unstoppable.runner.journal import Journal
from unstoppable.runner.mail import Mailer, deliver
from unstoppable.runner.outbox import Outbox
from unstoppable.runner.pings import Pinged, ping
from unstoppable.runner.post import Post
from unstoppable.runner.reporting import Means, report
from unstoppable.runner.run import now

_ADDRESS_KEPT_SECONDS = 3_600
"""Its server is not asked for each ping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A customer of whose runs somebody is told."""

    name: str
    state: Path
    ca_file: Path | None
    reporters: tuple[str, ...]
    pinged: tuple[Pinged, ...]
    readings: tuple[Reading, ...]
    """Of the resources about which mail is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """Who takes mail, and who gets which."""

    state: Path
    mailer: Mailer
    recipients: Mapping[str, frozenset[str]]
    """The resources of each."""
    faults: Mapping[str, str]
    """What is wrong with customers of whom no resource is known."""


def watched(found: Readings) -> dict[str, Watched]:
    """Return the customers of whose runs anybody is told."""
    by_customer: dict[str, list[Reading]] = defaultdict(list)
    for reading in found.all:
        by_customer[reading.configuration.resource.customer].append(reading)
    all_of_them = {name: _watched(name, readings) for name, readings in by_customer.items()}
    return {
        name: one
        for name, one in all_of_them.items()
        if one.reporters or one.pinged or one.readings
    }


def _watched(name: str, readings: list[Reading]) -> Watched:
    settings = readings[0].configuration.settings
    reporters = [url for one in readings for url in one.configuration.settings.reporters]
    return Watched(
        name=name,
        state=settings.state,
        ca_file=settings.notify_ca_file,
        reporters=tuple(dict.fromkeys(reporters)),
        pinged=tuple(
            pinged
            for one in readings
            if not one.faults and (pinged := pinged_of(one.configuration)) is not None
        ),
        readings=tuple(one for one in readings if _recipients(one.configuration)),
    )


def pinged_of(configuration: Configuration) -> Pinged | None:
    """Return who is pinged of a resource; None where nobody is."""
    if configuration.settings.ping_url is None:
        return None
    return Pinged(
        resource=configuration.resource,
        schedule=configuration.schedule,
        name=configuration.called(PING_URL),
        secret=_Address(configuration),
        is_running=lambda run: records.is_running(run, _holder(configuration)),
    )


def _holder(configuration: Configuration) -> str | None:
    return lane.known_holder(configuration.settings.hot, configuration.resource)


class _Address:
    """A ping URL, read anew from time to time: what keeps it remembers that it failed once."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._text, self._until = "", 0.0

    def resolve(self) -> str:
        """Return it; raises what reading it does."""
        if time.monotonic() >= self._until:
            configuration = self._configuration
            found = configuration.settings.ping_url
            if configuration.customer_file is not None:
                found = read_one(configuration.env_file, configuration.resource).settings.ping_url
            self._text = found.resolve() if found else ""
            self._until = time.monotonic() + _ADDRESS_KEPT_SECONDS
        return self._text


def mailing(found: Readings) -> Mailing | None:
    """Return who takes mail and who gets it; None where nobody does."""
    recipients: dict[str, set[str]] = defaultdict(set)
    for reading in found.all:
        for recipient in _recipients(reading.configuration):
            recipients[recipient].add(str(reading.configuration.resource))
    settings = found.common.configuration.settings
    faults = {name: str(of_customer[0]) for name, of_customer in found.broken.items()}
    for recipient in settings.mail_to if faults else ():
        recipients[recipient].update(faults)
    # Where no customer's file can be used, there is still whoever runs the installation.
    first = found.all[0] if found.all else found.common
    mailer = mailer_of(first.configuration) if recipients else None
    if mailer is None:
        return None
    return Mailing(
        state=settings.state,
        mailer=mailer,
        recipients={name: frozenset(own) for name, own in recipients.items()},
        faults=faults,
    )


def mailer_of(configuration: Configuration) -> Mailer | None:
    """Return who takes mail; None where nobody does."""
    settings = configuration.settings
    sender = settings.mail_from or next(iter(settings.recipients), None)
    if settings.smtp_server is None or sender is None:
        return None
    return Mailer(
        server=settings.smtp_server,
        sender=sender,
        user=settings.smtp_user,
        password=settings.smtp_password,
        ca_file=settings.notify_ca_file,
    )


def _recipients(configuration: Configuration) -> tuple[str, ...]:
    settings = configuration.settings
    if settings.smtp_server is None:
        return ()
    return settings.recipients


def tell_of(customer: Watched) -> tuple[list[UnstoppableError], bool]:
    """Tell of a customer's runs; returns what a person must be told, and whether more waits.

    Raises OutboxUnusable or JournalUnusable.
    """
    outbox, journal = Outbox(customer.state), Journal(customer.state)
    troubles: list[UnstoppableError] = []
    is_more = False
    with outbox.alone(f"{customer.name}.lock") as is_mine, Post(customer.ca_file) as post:
        if not is_mine:
            return [], False
        means = Means(outbox=outbox, journal=journal, post=post, now=now)
        for reporter in customer.reporters:
            found, more = report(means, customer.name, reporter)
            troubles += found
            is_more = is_more or more
        for pinged in customer.pinged:
            troubles += ping(means, pinged)
    if customer.readings:
        names = [str(one.configuration.resource) for one in customer.readings]
        known = outbox.alerts(*names)
        needs = dict(_needs(customer.readings, known))
        changed = {name: one for name, one in needs.items() if known.get(name) != one}
        if changed:
            outbox.note_needs(changed)
    return troubles, is_more


def tell_by_mail(found: Mailing, *, is_last_look: bool = False) -> list[UnstoppableError]:
    """Write mails about what changed, and send those that wait; raises OutboxUnusable."""
    outbox, moment = Outbox(found.state), now()
    with outbox.alone("+mail.lock") as is_mine:
        if not is_mine:
            return []
        known = outbox.alerts()
        if found.faults:
            faults = {
                name: seen(known.get(name), fault, moment) for name, fault in found.faults.items()
            }
            outbox.note_needs(faults)
            known |= faults
        planned = frozenset[str]().union(*found.recipients.values())
        known = {name: one for name, one in known.items() if name in planned}
        parts = news(known, moment, is_last_look=is_last_look)
        if any(parts):
            mails = compose(known, found.recipients, parts, moment, machine=os.uname().nodename)
            names = [name for part in parts for name in part]
            outbox.note_alerts(told(known, names, moment), mails)
        return deliver(outbox, found.mailer, now)


def _needs(readings: Iterable[Reading], known: Mapping[str, Known]) -> Iterator[tuple[str, Known]]:
    moment = now()
    for reading in readings:
        name = str(reading.configuration.resource)
        before = known.get(name)
        need = _need(reading, before, moment)
        yield name, seen(before, need, moment)


def _need(reading: Reading, before: Known | None, moment: datetime) -> str | None:
    """Return why a resource needs somebody, as `unstoppable status` says it."""
    if reading.faults:
        return str(reading.faults[0])
    configuration = reading.configuration
    try:
        runs, holder = records.telling(configuration, moment)
    except UnstoppableError as error:
        return str(error)
    runs_now = any(records.is_running(run, holder) for run in runs)
    if not any(map(_had_its_turn, runs)) and (
        runs_now or before is None or moment - before.since < NEVER_BACKED_UP_AFTER
    ):
        return before.need if before else None
    return health(runs, configuration.schedule, moment, is_running=runs_now).need


def _had_its_turn(record: RunRecord) -> bool:
    return record.outcome not in {None, Outcome.SKIPPED}
