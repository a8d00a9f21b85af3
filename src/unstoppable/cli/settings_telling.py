"""The settings that say who is told of runs; they are part of those in settings_model.py."""

from typing import Annotated

from pydantic import BeforeValidator

from unstoppable.cli import settings_values as values
from unstoppable.cli.told import Folder, Kept, Told, list_of
from unstoppable.domain.delivery import MailServer, mailbox

Mailboxes = Annotated[tuple[str, ...], list_of(values.mailboxes)]
Reporters = Annotated[
    tuple[str, ...],
    list_of(values.reporters),
    Told(
        "Other machines that are sent the signed record of each run, `https://` each, "
        "separated by commas or line breaks: the whole address that records are posted to. "
        "`http://` is taken for this machine itself alone.",
        default="nobody",
        example="https://witness.example/v1/records",
    ),
]
PingUrl = Annotated[
    Kept | None,
    Told(
        "An address in the style of healthchecks.io that is told when a run begins (`/start`), "
        "succeeded, did not (`/fail`) or was skipped (`/log`). Whoever knows it may use it: "
        "it is never shown.",
        default="none",
        example="/etc/unstoppable/ping-url",
        is_secret=True,
    ),
]
SmtpServer = Annotated[
    MailServer | None,
    BeforeValidator(lambda value: MailServer.parse(str(value))),
    Told(
        "Who takes mail: `smtp://HOST:PORT`, encrypted by STARTTLS, or `smtps://HOST:PORT`, "
        "encrypted from the beginning. Unencrypted mail goes to this machine itself alone.",
        default="none: no mail is sent",
        example="smtp://mail.example.com:587",
    ),
]
SmtpUser = Annotated[
    str | None,
    BeforeValidator(values.mail_user),
    Told("As whom mail is sent.", default="nobody", example="backup@example.com"),
]
SmtpPassword = Annotated[
    Kept | None,
    Told(
        "The password of that user.",
        default="none",
        example="/etc/unstoppable/smtp-password",
        is_secret=True,
    ),
]
MailFrom = Annotated[
    str | None,
    BeforeValidator(lambda value: mailbox(str(value))),
    Told(
        "From which address mail comes.",
        default="the first of UNSTOPPABLE_MAIL_TO",
        example="backup@example.com",
    ),
]
MailTo = Annotated[
    tuple[str, ...],
    list_of(values.mailboxes),
    Told(
        "Who gets a mail when a resource begins to need somebody, when it is in order again, "
        "and once a day in between; addresses separated by commas or line breaks. What "
        "happens within a minute is one mail.",
        default="nobody",
        example="ops@example.com",
    ),
]
NotifyCaFile = Annotated[
    Folder | None,
    Told(
        "A file with the certificates, as PEM, that are trusted for reporters, ping URLs and "
        "the mail server beside the system's.",
        default="the system's alone",
        example="/etc/unstoppable/notify-ca.pem",
    ),
]
