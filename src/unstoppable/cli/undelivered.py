"""What waits for those who are told of runs, since when, and why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from unstoppable.cli import output
from unstoppable.cli.configuration import Configuration
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.text import count, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """What waits for somebody."""

    to: str
    """Who that is; never a ping URL."""
    what: str
    since: datetime | None = None
    cause: str = ""
    """Why it was not taken; empty where nobody tried yet."""

    @property
    def sentence(self) -> str:
        """What a person is told."""
        since = f" since {output.local(self.since)}" if self.since else ""
        cause = f": {self.cause}" if self.cause else ""
        return printable(f"{self.what} for {self.to}{since}{cause}")

    @property
    def document(self) -> dict[str, object]:
        """The same for JSON."""
        return {"to": self.to, "what": self.what, "since": self.since, "cause": self.cause}


def is_anybody_told(configuration: Configuration) -> bool:
    """Return whether the settings name anybody."""
    settings = configuration.settings
    return bool(settings.reporters or settings.ping_url or settings.smtp_server)


def lacking(configuration: Configuration) -> Iterator[str]:
    """Yield what of the settings has no effect, because another one is missing."""
    settings = configuration.settings
    has_recipient = bool(settings.recipients)
    if has_recipient and settings.smtp_server is None:
        yield "no mail is sent: UNSTOPPABLE_SMTP_SERVER is not set"
    if settings.smtp_server is not None and not has_recipient:
        yield "no mail is sent: UNSTOPPABLE_MAIL_TO is not set"
    if (settings.smtp_user is None) != (settings.smtp_password is None):
        name = "USER" if settings.smtp_user is None else "PASSWORD"
        yield f"nobody logs in to send mail: UNSTOPPABLE_SMTP_{name} is not set"


def undelivered(found: Iterable[Configuration]) -> list[Undelivered]:
    """Return what waits for those whom these settings name; changes nothing."""
    told = [one for one in found if is_anybody_told(one)]
    if not told:
        return []
    try:
        return list(_undelivered(told))
    except UnstoppableError as error:
        return [Undelivered(to="everybody", what="it is not known what waits", cause=str(error))]


def _undelivered(found: list[Configuration]) -> Iterator[Undelivered]:
    from unstoppable.cli.telling import mailer_of  # noqa: PLC0415 - as below
    from unstoppable.runner import mail, pings, reporting  # noqa: PLC0415 - they bring a client
    from unstoppable.runner.journal import Journal  # noqa: PLC0415 - as above
    from unstoppable.runner.outbox import Mail, Outbox  # noqa: PLC0415 - as above

    state = found[0].settings.state
    outbox, journal = Outbox(state), Journal(state)
    pairs = [(one.resource.customer, url) for one in found for url in one.settings.reporters]
    for customer, reporter in dict.fromkeys(pairs):
        waits = reporting.waiting(outbox, journal, customer, reporter)
        if waits.records:
            what = f"{count(waits.records, 'record')} of {customer}"
            yield Undelivered(to=reporter, what=what, since=waits.since, cause=waits.cause)
        if waits.passed_over:
            what = f"{count(waits.passed_over, 'record')} of {customer} passed over"
            yield Undelivered(to=reporter, what=what, cause="it refused them for good")
    for one in found:
        failing = pings.waiting_since(outbox, one.resource) if one.settings.ping_url else None
        if failing is not None:
            to, since = f"the ping URL of {one.resource}", failing.failed_since
            yield Undelivered(to=to, what="pings", since=since, cause=failing.cause)
    own = {to for one in found for to in one.settings.recipients}
    by_recipient: dict[str, list[Mail]] = defaultdict(list)
    for waiting in outbox.mails():
        if waiting.recipient in own:
            by_recipient[waiting.recipient].append(waiting)
    for recipient, mails in by_recipient.items():
        mailer = mailer_of(found[0])
        cause = mail.why_waiting(outbox, mailer, recipient) if mailer else ""
        what, since = f"{count(len(mails), 'mail')}", mails[0].made_at
        yield Undelivered(to=recipient, what=what, since=since, cause=cause)
