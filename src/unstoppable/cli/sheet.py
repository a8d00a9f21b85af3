"""`unstoppable key sheet`."""
# ruff: noqa: PLC0415 - what draws is imported when it draws: `status` needs none of it

import os
import sys
from datetime import datetime
from getpass import getpass
from importlib.metadata import version
from pathlib import Path
from random import SystemRandom

import click

from unstoppable import engine
from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import PREFIX, Configuration
from unstoppable.cli.settings import load
from unstoppable.domain import groups
from unstoppable.domain.errors import UnstoppableError, WrongKey
from unstoppable.domain.ftps import FtpsFolder
from unstoppable.domain.keys import parse_key
from unstoppable.domain.s3 import S3Cold
from unstoppable.domain.sheet import Sheet, as_text
from unstoppable.domain.sheet_errors import GroupWrong, SheetPlaceRefused
from unstoppable.domain.text import printable
from unstoppable.runner import pins_file, sheet_file
from unstoppable.runner.run import now

CONFIRM = "unstoppable key sheet --confirm"
_GROUPS_ASKED = 3
_LONGEST_ANSWER_BYTES = 1000
_WEB_ROOTS = tuple(
    map(Path, ("/var/www", "/srv/www", "/srv/http", "/usr/share/nginx", "/usr/local/www"))
)
_WEB_NAMES = frozenset({"htdocs", "httpdocs", "public_html", "wwwroot"})


@click.command(cls=Speaking)
@resource_argument
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to, instead of beside the settings file.",
)
@click.option("--confirm", is_flag=True, help="Type groups from the paper; then the files go.")
@click.option("--dry-run", is_flag=True, help="Tell which files would come or go; change nothing.")
@click.pass_obj
def sheet(
    session: Session, *, asked: str | None, to: Path | None, confirm: bool, dry_run: bool
) -> int:
    """Write the recovery sheet: the key, to be kept on paper.

    Writes recovery-sheet.html, for one page of A4, and recovery-sheet.txt, for a printer that
    knows nothing else; both hold the key and are yours alone. --confirm asks for three groups
    of the key from the paper, shows nothing of what is typed, and deletes the files.

    Example:
      unstoppable key sheet
      unstoppable key sheet --confirm

    Exit codes:
      0 written, confirmed    1 failed, or what was typed is wrong    2 wrong usage
      12 wrong key or broken pin    130 cancelled
    """
    if confirm and to is not None:
        raise click.UsageError("--confirm finds the files itself: no --to")
    configuration = load(session.env_file, asked)
    facts = _facts(configuration)
    owner = _owner(configuration, facts.key_fingerprint)
    if confirm:
        return _confirm(session, facts, owner, dry_run=dry_run)
    folder = _folder(configuration, to)
    if dry_run:
        return _tell_files(session, "would_write", sheet_file.missing(owner, folder))
    paths = sheet_file.write(owner, folder, _contents(facts))
    if session.is_json:
        output.document({**_name(facts), "files": paths})
    else:
        output.data("\n".join(f"wrote {printable(str(path))}" for path in paths))
    output.say(f"note: print it and keep the paper elsewhere, then run `{CONFIRM}`")
    return 0


def write_first(configuration: Configuration) -> None:
    """Write the sheet of a key that is new, and tell what it is worth.

    A key that the environment or another file holds is the operator's, and is written nowhere
    unless they ask for it. A sheet that cannot be written stops no backup.
    """
    if not configuration.keeps_key:
        return
    try:
        facts = _facts(configuration)
        owner = _owner(configuration, facts.key_fingerprint)
        page, *_ = sheet_file.write(owner, _folder(configuration, None), _contents(facts))
        output.say(f"note: the key is on the recovery sheet {printable(str(page))}")
    except UnstoppableError as error:
        output.say(f"note: {printable(str(error))}")
        output.say(f"note: {printable(error.hint)}")
    output.say("note: without its key nothing can be restored, and nobody else has it")


def is_wanted(configuration: Configuration, source: Path | FtpsFolder) -> bool:
    """Return whether a sheet may lie beside the settings when `source` is backed up."""
    try:
        _folder(configuration.with_source(source), None)
    except SheetPlaceRefused:
        return False
    return True


def _facts(configuration: Configuration) -> Sheet:
    """Return what a sheet says; raises WrongKey for a key that opens nothing of ours."""
    installation = configuration.installation()
    resource, key = installation.resource, installation.key
    pins = pins_file.require(installation.pins_file, resource)
    fingerprint = engine.fingerprint(key.of_repository(installation.places(pins)), resource)
    if fingerprint != pins.key_fingerprint:
        cause = f"the key {fingerprint[:8]} is not the pinned key {pins.key_fingerprint[:8]}"
        raise WrongKey(resource=resource, cause=cause)
    return Sheet(
        resource=resource,
        generation=pins.generation,
        kind=key.kind,
        secret=parse_key(key.secret.resolve(), key.kind, name=key.name).hex(),
        machine=os.uname().nodename,
        cold=os.fsencode(str(installation.cold)),
        access=installation.cold.access if isinstance(installation.cold, S3Cold) else None,
        repository_id=pins.repository_id,
        key_fingerprint=fingerprint,
        written_at=now(),
        version=version("unstoppable-backups"),
    )


def _contents(facts: Sheet) -> dict[str, str]:
    from unstoppable.domain.sheet_page import as_page

    page, text = sheet_file.FILE_NAMES
    return {page: as_page(facts), text: as_text(facts)}


def _owner(configuration: Configuration, key_fingerprint: str) -> sheet_file.Owner:
    return sheet_file.Owner(
        state=configuration.settings.state,
        resource=configuration.resource,
        key_fingerprint=key_fingerprint,
    )


def _folder(configuration: Configuration, asked: Path | None) -> Path:
    """Return where a sheet goes, by its real name; raises SheetPlaceRefused."""
    folder = Path(os.path.realpath(asked or configuration.sheet_folder))
    places = {"source": configuration.settings.source, **configuration.own_folders}
    for field, place in places.items():
        if isinstance(place, Path) and folder.is_relative_to(os.path.realpath(place)):
            reason = f"it lies inside {PREFIX}{field.upper()}={place}"
            raise SheetPlaceRefused(folder=folder, reason=reason)
    for above in (folder, *folder.parents):
        if above in _WEB_ROOTS or above.name in _WEB_NAMES:
            reason = f"a web server may show what is in {above}"
            raise SheetPlaceRefused(folder=folder, reason=reason)
    return folder


def _confirm(session: Session, facts: Sheet, owner: sheet_file.Owner, *, dry_run: bool) -> int:
    # What cannot be read is told before anybody types.
    _, lying = sheet_file.look(owner)
    if dry_run:
        return _tell_files(session, "would_delete", lying)
    numbers = sorted(SystemRandom().sample(range(1, len(facts.groups) + 1), _GROUPS_ASKED))
    output.say(f"type {_GROUPS_ASKED} groups from the paper, each with its check digits")
    typed = [_ask(f"group {number}: ") for number in numbers]
    # All are compared before anything is told, so the time tells nothing either.
    is_right = [
        groups.is_group(text, facts.groups[number - 1])
        for number, text in zip(numbers, typed, strict=True)
    ]
    if not all(is_right):
        raise GroupWrong(number=numbers[is_right.index(False)], resource=facts.resource)
    confirmed_at = now()
    deleted = sheet_file.confirm(owner, confirmed_at)
    _tell_confirmed(session, facts, confirmed_at, deleted)
    return 0


def _ask(prompt: str) -> str:
    """Return what a person types, unseen, or the next line of whatever stdin is."""
    if sys.stdin.isatty():
        try:
            return getpass(prompt, stream=sys.stderr)
        except EOFError as error:
            raise click.Abort from error
        except UnicodeDecodeError:
            return ""  # no group is anything like it
    output.say(prompt.rstrip())
    line = sys.stdin.buffer.readline(_LONGEST_ANSWER_BYTES)
    if not line:
        raise click.Abort
    return line.decode(errors="replace")


def _tell_confirmed(
    session: Session, facts: Sheet, confirmed_at: datetime, deleted: tuple[Path, ...]
) -> None:
    if session.is_json:
        output.document({**_name(facts), "confirmed_at": confirmed_at, "deleted": deleted})
    else:
        output.data(f"confirmed: the key {facts.key_fingerprint[:8]} of {facts.resource}")
        for path in deleted:
            output.data(f"deleted {printable(str(path))}")
    output.say(
        "note: copies on other machines, such as the one that printed it, are yours to delete"
    )


def _name(facts: Sheet) -> dict[str, str]:
    return {"resource": str(facts.resource), "key_fingerprint": facts.key_fingerprint}


def _tell_files(session: Session, what: str, paths: tuple[Path, ...]) -> int:
    if session.is_json:
        output.document({what: paths})
    elif paths:
        words = what.replace("_", " ")
        output.data("\n".join(f"{words} {printable(str(path))}" for path in paths))
    return 0
