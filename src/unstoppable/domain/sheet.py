"""The recovery sheet: what a person needs on paper to get everything back, as plain text."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from unstoppable.domain import groups
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import S3Access

WIDTH = 80
TITLE = "Recovery sheet of Unstoppable backups"
WARNING = (
    "Whoever holds this sheet and the backups can read everything.",
    "Without it nothing can be restored, and nobody else has it.",
    "Keep it on paper, away from the machine; then delete the file it came from.",
)
TYPING = (
    "A group is 8 digits of 0-9 and a-f, and 2 check digits that find a typing error.",
    "Type them line by line; numbers, blanks and capitals make no difference.",
)
HOW = (
    "On a machine that has the program and the folder cold. After cat type the",
    "groups, Enter, Ctrl-D; the files come into the folder back. As root add --exact",
    "to the last line: owners, devices and all attributes come back as well.",
)
HOW_FROM_A_BUCKET = (
    "On a machine that has the program and reaches the server, with an access key",
    "that may read, from whoever owns the bucket: type its name for ID. After the",
    "first cat type the groups, after the second that key's secret, each time Enter,",
    "Ctrl-D; the files come into the folder back. As root add --exact to the last",
    "line: owners, devices and all attributes come back as well.",
)
HOW_WITH_CERTIFICATES = (
    "The server's certificate is of an authority of your own: have its file there",
    "as ca.pem first.",
)
COMPARE = "It tells a repository and a key first: compare them with those above."
AFTER = (COMPARE, "Delete the file recovery-key when you are done.")
AFTER_A_BUCKET = (COMPARE, "Delete the files recovery-key and s3-secret when you are done.")
WITHOUT_US = "Without this program: docs/recovery.md of its sources, with Python and rustic."
_SETTINGS = {KeyKind.ROOT: "UNSTOPPABLE_KEY", KeyKind.REPOSITORY: "UNSTOPPABLE_REPOSITORY_KEY"}
_WHAT = {KeyKind.ROOT: "the root secret", KeyKind.REPOSITORY: "the key of this repository alone"}
_DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a recovery sheet says."""

    resource: ResourceName
    generation: int
    kind: KeyKind
    secret: str = field(repr=False)
    """Hexadecimal digits in small letters."""
    machine: str
    cold: bytes
    """What `UNSTOPPABLE_COLD` names."""
    access: S3Access | None = None
    """How the server is reached where cold is a bucket."""
    repository_id: str
    key_fingerprint: str
    written_at: datetime
    version: str

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the secret."""
        return groups.split(self.secret)

    @property
    def heading(self) -> str:
        """What the secret is and which setting takes it."""
        return f"{_WHAT[self.kind]}, {len(self.secret)} digits: {_SETTINGS[self.kind]}"

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """Names and values, in the order of the sheet; each of ASCII alone."""
        when = self.written_at.astimezone(UTC)
        return (
            ("customer", self.resource.customer),
            ("resource", self.resource.resource),
            ("generation", str(self.generation)),
            ("machine", _ascii(self.machine)),
            ("cold", word(self.cold)),
            *self._server,
            ("repository", self.repository_id),
            ("fingerprint", self.key_fingerprint),
            ("written", f"{when:%Y-%m-%d %H:%M} UTC by unstoppable {self.version}"),
        )

    @property
    def _server(self) -> tuple[tuple[str, str], ...]:
        if self.access is None:
            return ()
        return (("server", self.access.endpoint), ("region", self.access.region))

    @property
    def how(self) -> tuple[str, ...]:
        """What a person does with the commands."""
        if self.access is None:
            return HOW
        return (*HOW_FROM_A_BUCKET, *(HOW_WITH_CERTIFICATES if self.access.ca_file else ()))

    @property
    def after(self) -> tuple[str, ...]:
        """What a person does when it is done."""
        return AFTER if self.access is None else AFTER_A_BUCKET

    @property
    def commands(self) -> str:
        """What a shell is told to get everything back; each line fits the sheet."""
        names = {
            "UNSTOPPABLE_CUSTOMER": self.resource.customer,
            "UNSTOPPABLE_RESOURCE": self.resource.resource,
        }
        settings = [f"{name}={value}" for name, value in names.items() if value != _DEFAULT_NAME]
        key_file = f'{_SETTINGS[self.kind]}_FILE="$PWD/recovery-key"'
        settings += [_setting("UNSTOPPABLE_COLD", self.cold), *_reaching(self.access), key_file]
        secret = "" if self.access is None else "cat >s3-secret\n"
        restore = " \\\n".join([*settings, "unstoppable restore --to back"])
        return f"umask 077\ncat >recovery-key\n{secret}{restore}"


def _reaching(access: S3Access | None) -> list[str]:
    """Return the settings that reach the server; the credential is not on the sheet."""
    if access is None:
        return []
    return [
        _setting("UNSTOPPABLE_S3_ENDPOINT", access.endpoint.encode()),
        _setting("UNSTOPPABLE_S3_REGION", access.region.encode()),
        f"UNSTOPPABLE_S3_ADDRESSING={'virtual-host' if access.virtual_host else 'path'}",
        *(['UNSTOPPABLE_S3_CA_FILE="$PWD/ca.pem"'] if access.ca_file else []),
        "UNSTOPPABLE_S3_ACCESS_KEY_ID=ID",
        'UNSTOPPABLE_S3_SECRET_ACCESS_KEY_FILE="$PWD/s3-secret"',
    ]


def _setting(name: str, value: bytes) -> str:
    """Return a setting in lines that fit the sheet."""
    around = f"{name}=$'' \\"
    return f"{name}={word(value, room=WIDTH - len(around))}"


def word(value: bytes, *, room: int | None = None) -> str:
    """Return a value as one word of a shell, of ASCII alone.

    One that is longer than `room` goes on after a backslash at the end of the line, where no
    blank may come.
    """
    text = value.decode("latin-1")
    if not re.fullmatch(r"[ -~]*", text) or "'" in text:
        opening, signs = "$'", [_escaped(byte) for byte in value]
    else:
        opening, signs = "'" if shlex.quote(text) != text else "", list(text)
    pieces = [""]
    for sign in signs:
        if room and len(pieces[-1] + sign) > room:
            pieces.append("")
        pieces[-1] += sign
    return "\\\n".join(f"{opening}{piece}{opening[-1:]}" for piece in pieces)


def as_text(sheet: Sheet) -> str:
    """Return the sheet for a printer that knows nothing but ASCII, 80 columns wide."""
    width = len(str(len(sheet.groups)))
    parts = (
        (TITLE.upper(), "=" * len(TITLE), *WARNING),
        tuple(line for name, value in sheet.facts for line in _fact(name, value)),
        (_capital(sheet.heading), *TYPING),
        tuple(f"  {number:>{width}}: {group}" for number, group in enumerate(sheet.groups, 1)),
        ("To get everything back", *sheet.how),
        tuple(sheet.commands.splitlines()),
        (*sheet.after, WITHOUT_US),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _fact(name: str, value: str) -> Iterator[str]:
    room = WIDTH - 14
    for at in range(0, len(value), room):
        yield f"  {'' if at else name:<12}{value[at : at + room]}"


def _escaped(byte: int) -> str:
    character = chr(byte)
    is_plain = " " <= character <= "~" and character not in "\\'"
    return character if is_plain else f"\\x{byte:02x}"


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
