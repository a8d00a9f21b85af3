"""`unstoppable notify`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.planning import usable_ones
from unstoppable.cli.settings import read_all
from unstoppable.cli.telling import mailer_of, pinged_of
from unstoppable.domain.delivery import Meaning
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count, printable
from unstoppable.runner import pings
from unstoppable.runner.journal import Journal
from unstoppable.runner.mail import Mailer
from unstoppable.runner.outbox import Mail, Outbox
from unstoppable.runner.pings import Pinged
from unstoppable.runner.post import Answer, Post
from unstoppable.runner.reporting import Means, try_again
from unstoppable.runner.run import now

_WORDS = b"a test by `unstoppable notify test`"
_SUBJECT = "backups: a test of mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Somebody who is told, and how that is tried."""

    to: str
    of: str
    how: str
    attempt: Callable[[], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    way: _Way
    is_taken: bool
    result: str


@click.group()
def notify() -> None:
    """Try who hears of runs."""


@notify.command(cls=Speaking)
@resource_argument
@click.option("--dry-run", is_flag=True, help="Tell who would be tried; ask nobody.")
@click.pass_obj
def test(session: Session, *, asked: str | None, dry_run: bool) -> int:
    """Tell something to all who hear of runs, and show who took it.

    A reporter gets what waits for it, or else the last record once more, which changes nothing
    there. A ping URL gets `/log`, which changes no state, and each address of mail a mail.

    Example:
      unstoppable notify test
      unstoppable notify test acme/www --dry-run

    Exit codes:
      0 all took it    1 one did not    2 wrong usage, or nobody is told of runs
    """
    readings = read_all(session.env_file)
    found, has_fault = usable_ones(session, readings, asked)
    ways = list(_ways(found))
    if not ways:
        raise click.UsageError(
            "nobody is told of runs: UNSTOPPABLE_REPORTERS, UNSTOPPABLE_PING_URL and "
            "UNSTOPPABLE_SMTP_SERVER with UNSTOPPABLE_MAIL_TO say who is"
        )
    if dry_run:
        _rehearse(session, ways)
        return ExitCode.USAGE if has_fault else ExitCode.SUCCEEDED
    tried = [_try(way) for way in ways]
    _tell(session, tried)
    is_whole = all(one.is_taken for one in tried) and not has_fault
    return ExitCode.SUCCEEDED if is_whole else ExitCode.FAILED


def _ways(found: list[Configuration]) -> Iterator[_Way]:
    reporters = {
        (one.resource.customer, url): one for one in found for url in one.settings.reporters
    }
    for (customer, reporter), one in reporters.items():
        yield _Way(to=reporter, of=customer, how="record", attempt=_reporting(one, reporter))
    for one in found:
        pinged = pinged_of(one)
        if pinged is not None:
            name = str(one.resource)
            yield _Way(to="the ping URL", of=name, how="ping", attempt=_pinging(one, pinged))
    recipients = {to: one for one in found for to in one.settings.recipients}
    for recipient, one in recipients.items():
        mailer = mailer_of(one)
        if mailer is not None:
            attempt = _mailing(mailer, recipient, now())
            yield _Way(to=recipient, of="", how="mail", attempt=attempt)


def _reporting(one: Configuration, reporter: str) -> Callable[[], Answer]:
    state, customer = one.settings.state, one.resource.customer

    def attempt() -> Answer:
        outbox = Outbox(state)
        with outbox.alone(f"{customer}.lock") as is_mine, Post(one.settings.notify_ca_file) as post:
            if not is_mine:
                cause = "another process is telling it of runs just now, try again"
                return Answer(meaning=Meaning.LATER, cause=cause)
            means = Means(outbox=outbox, journal=Journal(state), post=post, now=now)
            return try_again(means, customer, reporter)

    return attempt


def _pinging(one: Configuration, pinged: Pinged) -> Callable[[], Answer]:
    def attempt() -> Answer:
        with Post(one.settings.notify_ca_file) as post:
            return pings.test(post, pinged.address(), _WORDS)

    return attempt


def _mailing(mailer: Mailer, recipient: str, moment: datetime) -> Callable[[], Answer]:
    body = f"This is {_WORDS.decode()}; nothing is wrong.\n"
    mail = Mail(number=0, recipient=recipient, subject=_SUBJECT, body=body, made_at=moment)
    return lambda: mailer.send(mail)


def _try(way: _Way) -> _Tried:
    try:
        answer = way.attempt()
    except UnstoppableError as error:
        return _Tried(way=way, is_taken=False, result=str(error))
    is_taken = answer.meaning is Meaning.ACCEPTED
    return _Tried(way=way, is_taken=is_taken, result=answer.cause or "it was taken")


def _rehearse(session: Session, ways: list[_Way]) -> None:
    if session.is_json:
        output.document([_document(way) for way in ways])
        return
    output.table(("would tell", "of", "by"), [(way.to, way.of, way.how) for way in ways])


def _tell(session: Session, tried: list[_Tried]) -> None:
    if session.is_json:
        output.document(
            [
                {**_document(one.way), "is_taken": one.is_taken, "result": one.result}
                for one in tried
            ]
        )
        return
    rows = [
        (
            one.way.to,
            one.way.of,
            one.way.how,
            "yes" if one.is_taken else "no",
            printable(one.result),
        )
        for one in tried
    ]
    output.table(("told", "of", "by", "taken", "result"), rows)
    lacking = sum(not one.is_taken for one in tried)
    output.data(f"{count(len(tried), 'way')}: {len(tried) - lacking} took it, {lacking} did not")


def _document(way: _Way) -> dict[str, object]:
    return {"to": way.to, "of": way.of, "by": way.how}
