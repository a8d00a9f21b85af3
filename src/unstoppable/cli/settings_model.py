"""Every setting: what it may hold, what it means, its default and an example.

What is said here is said nowhere else: `unstoppable config generate`, .env.example and the table in
docs/configuration.md are made of it, and tests compare them.
Pydantic takes a quarter of a second to import: only what needs a setting's value imports this.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from unstoppable.cli import settings_telling as telling
from unstoppable.cli import settings_values as values
from unstoppable.cli.told import Folder, Kept, Told, list_of
from unstoppable.domain import amounts, ftps, infisical, s3
from unstoppable.domain.ftps import FtpsFolder
from unstoppable.domain.s3 import S3Prefix
from unstoppable.domain.schedule import Schedule

PREFIX = "UNSTOPPABLE_"


Name = Annotated[str, BeforeValidator(values.name)]


class Settings(BaseModel):
    """The settings by name; `UNSTOPPABLE_HOT` is `hot`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    source: Annotated[
        Path | FtpsFolder | None,
        BeforeValidator(values.source),
        Told(
            "What is backed up: a directory, from `/` on, or `ftps://USER@HOST:PORT/PATH`, a "
            "folder of a server that speaks explicit TLS. A blank there is `%20`.",
            default="none",
            example="/srv/data",
        ),
    ] = None
    source_password: Annotated[
        Kept | None,
        Told(
            "The password of the server's user.",
            default="none",
            example="/etc/unstoppable/source-password",
            is_secret=True,
        ),
    ] = None
    source_pin: Annotated[
        bytes | None,
        BeforeValidator(lambda value: ftps.pin(str(value))),
        Told(
            "The public key that the server must show, whatever else its certificate says, as "
            "`unstoppable source pin` prints it.",
            default="none: its certificate must be good for its name",
            example="sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
    ] = None
    source_ca_file: Annotated[
        Folder | None,
        Told(
            "A file with the certificates, as PEM, that are trusted for the server instead of the "
            "system's.",
            default="the system's",
            example="/etc/unstoppable/source-ca.pem",
        ),
    ] = None
    source_allow_private: Annotated[
        bool,
        BeforeValidator(values.yes_or_no),
        Told(
            "`yes` takes a server whose name leads to a private network, or to this machine. "
            "An address needs none of it.",
            default="`no`",
            example="yes",
        ),
    ] = False
    source_connections: Annotated[
        int,
        BeforeValidator(
            lambda value: values.connections(value, most=values.MOST_SOURCE_CONNECTIONS)
        ),
        Told(
            "How many connections to the server there may be, 1 to 32; fewer where it bears fewer.",
            default="`8`",
            example="4",
        ),
    ] = 8
    source_bandwidth: Annotated[
        int | None,
        BeforeValidator(lambda value: amounts.bandwidth(str(value))),
        Told(
            "How many bytes per second come from the server at most, such as `20 MiB/s`.",
            default="no limit",
            example="20 MiB/s",
        ),
    ] = None
    source_reread: Annotated[
        int,
        BeforeValidator(lambda value: values.whole(value, "d", "30d", most=values.MOST_TIME)),
        Told(
            "How often each file of a server is read anew though its size and time are the same, "
            "in days.",
            default="`30d`",
            example="90d",
        ),
    ] = 30
    source_max_files: Annotated[
        int,
        BeforeValidator(lambda value: values.whole(value, "", "1000000")),
        Told(
            "How many files and folders of a server one run reads at most. What is beyond makes "
            "the snapshot incomplete, and the run failed.",
            default="`10000000`",
            example="50000000",
        ),
    ] = 10_000_000
    source_max_bytes: Annotated[
        int,
        BeforeValidator(values.size),
        Told(
            "How many bytes the files of a server may have altogether, such as `500 GiB`; else "
            "the same.",
            default="`16 TiB`",
            example="500 GiB",
        ),
    ] = 16 * 2**40
    cold: Annotated[
        Path | S3Prefix,
        BeforeValidator(values.cold),
        Told(
            "Where backups are kept: a directory, or `s3://BUCKET/PREFIX`, of which the prefix may "
            "be missing. A customer's own bucket holds that customer's repositories directly.",
            default="`/var/lib/unstoppable/cold`, a user's `~/.local/share/unstoppable/cold`",
            example="/mnt/backup/cold",
        ),
    ]
    hot: Annotated[
        Folder,
        Told(
            "A cache of the metadata, and the lock of each customer. Another folder than cold. "
            "It can be deleted while nothing runs.",
            default="`/var/lib/unstoppable/hot`, a user's `~/.local/share/unstoppable/hot`",
            example="/var/lib/unstoppable/hot",
        ),
    ]
    state: Annotated[
        Folder,
        Told(
            "The journal of runs, the keys that sign its records, when resources are due, and "
            "whether the key is on paper.",
            default="`/var/lib/unstoppable/state`, a user's `~/.local/share/unstoppable/state`",
            example="/var/lib/unstoppable/state",
        ),
    ]
    key: Annotated[
        Kept | None,
        Told(
            "The root secret: 64 hexadecimal digits, or the groups of its recovery sheet as they "
            "are printed. Every repository key is derived from it. "
            "`unstoppable init DIR` makes one, and so does `openssl rand -hex 32`.",
            default="none",
            example="/etc/unstoppable/key",
            is_secret=True,
        ),
    ] = None
    repository_key: Annotated[
        Kept | None,
        Told(
            "Instead of the root secret, the key of this one repository: 128 hexadecimal digits, "
            "or their groups. Both is an error.",
            default="none",
            example="/etc/unstoppable/repository-key",
            is_secret=True,
        ),
    ] = None
    s3_endpoint: Annotated[
        str | None,
        BeforeValidator(lambda value: s3.endpoint(str(value))),
        Told(
            "The server of the bucket, `https://host:port`. `http://` is taken for this machine "
            "itself alone.",
            default="AWS in that region",
            example="https://s3.example.com",
        ),
    ] = None
    s3_region: Annotated[
        str,
        BeforeValidator(lambda value: s3.region(str(value))),
        Told(
            "The region of the bucket; servers of your own mostly take any.",
            default=f"`{s3.DEFAULT_REGION}`",
            example="eu-central-1",
        ),
    ] = s3.DEFAULT_REGION
    s3_addressing: Annotated[
        str | None,
        BeforeValidator(values.addressing),
        Told(
            "How the server is told the bucket: in the `path`, or as part of the host's name, "
            "`virtual-host`.",
            default="`path`, for AWS `virtual-host` where the name has no dot",
            example="virtual-host",
        ),
    ] = None
    s3_access_key_id: Annotated[
        str | Kept | None,
        BeforeValidator(values.access_key_id),
        Told(
            "The name of the access key for the bucket. A backup needs no right to delete or "
            "to overwrite, and should have none.",
            default="none",
            example="backup-writer",
        ),
    ] = None
    s3_secret_access_key: Annotated[
        Kept | None,
        Told(
            "The secret of that access key.",
            default="none",
            example="/etc/unstoppable/s3-secret",
            is_secret=True,
        ),
    ] = None
    s3_ca_file: Annotated[
        Folder | None,
        Told(
            "A file with the certificates, as PEM, that are trusted for the server instead of the "
            "system's.",
            default="the system's",
            example="/etc/unstoppable/s3-ca.pem",
        ),
    ] = None
    s3_connections: Annotated[
        int,
        BeforeValidator(lambda value: values.connections(value, most=values.MOST_CONNECTIONS)),
        Told("How many requests go to the server at once, 1 to 64.", default="`8`", example="4"),
    ] = 8
    s3_bandwidth: Annotated[
        int | None,
        BeforeValidator(lambda value: amounts.bandwidth(str(value))),
        Told(
            "How many bytes per second go to and from the server at most, such as `20 MiB/s`.",
            default="no limit",
            example="20 MiB/s",
        ),
    ] = None
    infisical_url: Annotated[
        str | None,
        BeforeValidator(lambda value: infisical.address(str(value))),
        Told(
            "The Infisical server that keeps the secrets of customers whose files refer to it.",
            default="none",
            example="https://infisical.example.com",
        ),
    ] = None
    infisical_ca_file: Annotated[
        Folder | None,
        Told(
            "A file with the certificates, as PEM, that are trusted for it instead of the "
            "system's.",
            default="the system's",
            example="/etc/unstoppable/infisical-ca.pem",
        ),
    ] = None
    customer: Annotated[
        Name,
        Told(
            "Whose backup it is: 1 to 20 of a-z, 0-9 and -, no - at either end. "
            "Part of the key's derivation: it never changes once the repository exists.",
            default="`default`",
            example="acme",
        ),
    ] = "default"
    resource: Annotated[
        Name,
        Told(
            "What of the customer's is backed up; the same letters, and the same warning.",
            default="`default`",
            example="www",
        ),
    ] = "default"
    exclude: Annotated[
        tuple[str, ...],
        list_of(values.globs),
        Told(
            "What is left out: patterns as in gitignore, relative to the source, separated by "
            "commas or line breaks. For a name with a comma write `?` in its place.",
            default="nothing",
            example="cache/**, *.tmp",
        ),
    ] = ()
    one_file_system: Annotated[
        bool,
        BeforeValidator(values.yes_or_no),
        Told(
            "`yes` leaves out other file systems that are mounted inside the source.",
            default="`no`",
            example="yes",
        ),
    ] = False
    reporters: telling.Reporters = ()
    ping_url: telling.PingUrl = None
    smtp_server: telling.SmtpServer = None
    smtp_user: telling.SmtpUser = None
    smtp_password: telling.SmtpPassword = None
    mail_from: telling.MailFrom = None
    mail_to: telling.MailTo = ()
    customer_mail_to: telling.Mailboxes = ()
    """Who else does, of one customer; said in the customer's file alone."""
    notify_ca_file: telling.NotifyCaFile = None
    schedule: Annotated[
        Schedule | None,
        BeforeValidator(values.schedule),
        Told(
            "When backups are due: the five fields of a cron line, and a zone where it is not UTC, "
            "such as `17 2 * * * Europe/Berlin`. The default is once between 0 and 6 o'clock UTC, "
            "on each machine at another minute.",
            default="a time at night",
            example="17 2 * * * Europe/Berlin",
        ),
    ] = None
    overlap: Annotated[
        str,
        BeforeValidator(values.overlap),
        Told(
            "What becomes of a backup that is due while another resource of the customer is at "
            "work: `wait`, until the next one is due, or `skip`, which records it as skipped at "
            "once. One whose own resource is at work is always skipped.",
            default="`wait`",
            example="skip",
        ),
    ] = values.WAIT
    parallel: Annotated[
        int | None,
        BeforeValidator(lambda value: values.connections(value, most=values.MOST_PARALLEL)),
        Told(
            "How many customers are backed up at once, 1 to 99; of each customer always one "
            "resource after the other.",
            default="four for each core",
            example="8",
        ),
    ] = None
    max_shrink: Annotated[
        int,
        BeforeValidator(values.percent),
        Told(
            "By how much the source may be smaller than the last complete snapshot, in bytes or in "
            "files. Beyond it the run is partial, until `unstoppable backup --accept-shrink`. "
            "`100%` accepts anything.",
            default="`50%`",
            example="30%",
        ),
    ] = 50
    max_runtime: Annotated[
        int,
        BeforeValidator(lambda value: values.whole(value, "h", "24h", most=values.MOST_TIME)),
        Told(
            "How many hours a run may take. One that takes longer is stopped and has failed; what "
            "it stored is kept, and the next run goes on from there. Until there is a complete "
            "snapshot a run may take any time.",
            default="`24h`",
            example="8h",
        ),
    ] = 24

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who gets mail about the resource, where a server takes it."""
        return (*self.mail_to, *self.customer_mail_to)


TOLD = {
    PREFIX + field.upper(): told
    for field, found in Settings.model_fields.items()
    for told in found.metadata
    if isinstance(told, Told)
}
"""What is told of each setting, by its name."""
NAMES = tuple(TOLD)
