"""`unstoppable init`."""

import re
from pathlib import Path

import click

from unstoppable import engine
from unstoppable.cli import env_file, output, sheet
from unstoppable.cli.backup import require_listable, run_now
from unstoppable.cli.calling import calling_sentence, install_caller
from unstoppable.cli.command import Session, Speaking
from unstoppable.cli.configuration import S3_SECRET, SOURCE_PASSWORD, Configuration, real
from unstoppable.cli.password import with_password
from unstoppable.cli.place import Place, directory
from unstoppable.cli.settings import choose, load, read_all, usable
from unstoppable.cli.welcome import last_backup, say_next, tell_ready
from unstoppable.domain import errors
from unstoppable.domain.ftps import FtpsFolder, FtpsSource
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.outlook_errors import SettingsIncomplete
from unstoppable.domain.setup_errors import InitForOne
from unstoppable.domain.text import printable
from unstoppable.runner.files import make_private_folder, remove_drafts, write_new
from unstoppable.runner.plan import Installation, Key
from unstoppable.runner.setup import Found, examine, set_up
from unstoppable.secrets.reference import InFile, Literal

_SET_UP = (ExitCode.SUCCEEDED, ExitCode.PARTIAL)


class _IdBeginning(click.ParamType[str]):
    name = "id"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the digits that a repository's id should begin with."""
        text = str(value).lower()
        if not re.fullmatch(r"[0-9a-f]{8,64}", text):
            self.fail(f"{text!r} is not the first 8 digits of an id, or more", param, ctx)
        return text


@click.command(cls=Speaking)
@click.argument("asked", metavar="[DIR]", required=False, type=Place())
@click.option(
    "--pin",
    "expected_id",
    type=_IdBeginning(),
    metavar="ID",
    help="Go on with the repository there, whose id begins so; create none.",
)
@click.option("--with-schedule", is_flag=True, help="Also do `unstoppable schedule install`.")
@click.option("--dry-run", is_flag=True, help="Tell what would be made; change nothing.")
@click.pass_obj
def init(
    session: Session,
    *,
    asked: Path | FtpsFolder | None,
    expected_id: str | None,
    with_schedule: bool,
    dry_run: bool,
) -> int:
    """Set up backups of a directory and make the first one.

    DIR may be on a server, ftps://USER@HOST/PATH; a password that is missing is asked for.

    Writes a settings file with a fresh key, a repository and its pins, whatever of them is
    missing, and with a new repository the recovery sheet, to be printed; what is there is never
    changed, and a backup that is there suffices. Without DIR the settings name the directory.
    The first backup is proved: some files, chosen at random, are restored and compared.

    A repository with snapshots whose pins are lost is pinned anew with --pin alone, after you
    compared its id and key, as `unstoppable snapshots` tells them, with your written copy.

    Example:
      unstoppable init /srv/data
      unstoppable init ftps://alice@ftp.example.com/www
      unstoppable init --pin 1a2b3c4d /srv/data

    Exit codes:
      0 set up and backed up    1 failed, or a file came back different    2 wrong usage
      3 first backup partial    10 the pinned repository is gone
      11 another run is going on    12 wrong key or broken pin    130 cancelled
    """
    before = _settings_of_one(session)
    source, before = _met(before, _source(before, asked))
    key = before.key or _new_key(before)
    installation = before.installation(key)
    if dry_run:
        found = examine(installation, key_is_new=before.key is None, expected_id=expected_id)
        return _rehearse(session, before, source, installation, found)
    found = set_up(
        installation,
        key_is_new=before.key is None,
        keep_settings=lambda: _keep_settings(before, source, key),
        expected_id=expected_id,
    )
    configuration = load(session.env_file)
    _say_what_to_know(before, installation, found)
    if found is not Found.READY:
        sheet.write_first(configuration)
    backup = last_backup(configuration) if found is Found.READY else None
    if backup is None:
        code = run_now(session, configuration, is_first=True)
    else:
        code = tell_ready(session, configuration, backup)
    if code in _SET_UP and with_schedule:
        caller, is_new = install_caller(configuration)
        output.say(calling_sentence(configuration, caller=caller, is_changed=is_new))
    if code in _SET_UP and backup is None:
        say_next(configuration)
    return code


def _settings_of_one(session: Session) -> Configuration:
    """Return the settings, as far as there are any; raises InitForOne."""
    readings = read_all(session.env_file, may_be_missing=True)
    if readings.customers is not None:
        raise InitForOne(folder=readings.customers)
    return usable(choose(readings, None))


def _say_what_to_know(before: Configuration, installation: Installation, found: Found) -> None:
    if found is Found.UNPINNED:
        output.say(f"note: the repository that was there is pinned: {installation.pins_file}")
    if S3_SECRET in before.given and not before.has_file:
        output.say(
            f"note: {before.env_file} holds the access key: make it the narrow one of a backup"
        )


def _source(before: Configuration, asked: Path | FtpsFolder | None) -> Path | FtpsFolder:
    """Return what to back up, a directory whole and real; raises UsageError."""
    if asked is None:
        source = before.source
        return source.place if isinstance(source, FtpsSource) else source
    if isinstance(asked, Path):
        asked = directory(asked, before.resource)
    configured = before.settings.source
    if isinstance(configured, Path):
        configured = real(configured)
    if configured is not None and configured != asked:
        raise errors.SourceConflict(env_file=before.env_file, configured=configured, asked=asked)
    if configured is None and before.has_file:
        remedy = f"write {env_file.quoted(str(asked))} there as UNSTOPPABLE_SOURCE"
        raise SettingsIncomplete(name="UNSTOPPABLE_SOURCE", env_file=before.env_file, remedy=remedy)
    _ = before.with_source(asked).source
    return asked


def _met(
    before: Configuration, source: Path | FtpsFolder
) -> tuple[Path | FtpsFolder, Configuration]:
    """Return the source again, and the settings with what its server needs, which was there."""
    if isinstance(source, FtpsFolder):
        before = with_password(before.with_source(source))
        require_listable(before)
    return source, before


def _new_key(before: Configuration) -> Key:
    """Return a fresh key, which has to go into a new settings file: an old one is never changed."""
    before.refuse_lost_key()
    if before.has_file:
        remedy = "write UNSTOPPABLE_KEY=… there, made by `openssl rand -hex 32`"
        raise SettingsIncomplete(name="UNSTOPPABLE_KEY", env_file=before.env_file, remedy=remedy)
    secret = Literal(engine.generate_root_secret().hex())
    return Key(name="UNSTOPPABLE_KEY", kind=KeyKind.ROOT, secret=secret)


def _keep_settings(before: Configuration, source: Path | FtpsFolder, key: Key) -> None:
    """Write the settings file where there was none.

    One that appeared since holds another key: going on would make a repository whose key is lost.
    """
    path = before.env_file
    if before.has_file:
        return
    make_private_folder(path.parent)
    try:
        remove_drafts(path)
        write_new(path, [env_file.render(_settings_to_keep(before, source, key)).encode()])
    except FileExistsError as error:
        raise errors.EnvFileAppeared(path=path) from error
    except OSError as error:
        raise errors.FolderUnusable(path=path, cause=error.strerror) from error


def _settings_to_keep(before: Configuration, source: Path | FtpsFolder, key: Key) -> dict[str, str]:
    """Return what a later run needs: a scheduler will not have this environment.

    A key that the environment holds is the operator's to bring and is not written down; the access
    key of a bucket and the password of a server are: without them no run would get there.
    """
    settings = before.settings
    kept = {
        "UNSTOPPABLE_SOURCE": str(source),
        "UNSTOPPABLE_HOT": str(settings.hot),
        "UNSTOPPABLE_COLD": str(settings.cold),
        "UNSTOPPABLE_STATE": str(settings.state),
    }
    for name, given in before.given.items():
        if isinstance(given.value, InFile):
            kept[f"{name}_FILE"] = str(given.value.path)
        elif isinstance(given.value, str):
            kept.setdefault(name, given.value)
        elif name in {S3_SECRET, SOURCE_PASSWORD}:
            kept[name] = given.value.resolve()
    if before.key is None:
        kept["UNSTOPPABLE_KEY"] = key.secret.resolve()
    return kept


def _rehearse(
    session: Session,
    before: Configuration,
    source: Path | FtpsFolder,
    installation: Installation,
    found: Found,
) -> int:
    keeps_key = before.key is None or before.keeps_key
    has_sheet = keeps_key and found is not Found.READY and sheet.is_wanted(before, source)
    has_backup = found is Found.READY and last_backup(before) is not None
    new_key = " with a fresh key" if before.key is None else ""
    steps = [
        (not before.has_file, f"settings{new_key} in {before.env_file}"),
        (found is Found.NOTHING, f"a repository in {installation.places(None).cold}"),
        (found is not Found.READY, f"its pins in {installation.pins_file}"),
        (has_sheet, f"a recovery sheet in {before.env_file.parent}"),
        (not has_backup, f"a backup of {source}"),
    ]
    missing = [what for is_missing, what in steps if is_missing]
    if session.is_json:
        output.document({"would_make": missing})
    else:
        told = "\n".join(f"would make {printable(what)}" for what in missing)
        output.data(told or "would make nothing: it is set up already")
    return 0
