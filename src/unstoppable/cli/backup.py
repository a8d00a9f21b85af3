"""`unstoppable backup`."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime

import click

from unstoppable.cli import output, records
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import HANDED_OVER, ROOT_KEY, Configuration, Given
from unstoppable.cli.proof import prove
from unstoppable.cli.secrets_option import secrets_option, signs_option
from unstoppable.cli.sender import sending
from unstoppable.cli.settings import load
from unstoppable.cli.settings_values import SKIP
from unstoppable.cli.watch import showing, stoppable
from unstoppable.domain.errors import SourceUnavailable
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.secret_errors import SecretsNotHad
from unstoppable.domain.text import printable
from unstoppable.engine import Repository, ServerVisit, Source
from unstoppable.runner import pins_file, watchdog
from unstoppable.runner.clerk import Clerk, beside
from unstoppable.runner.confinement import confine
from unstoppable.runner.journal import Journal
from unstoppable.runner.mounts import MountGuard
from unstoppable.runner.run import Terms, back_up, new_run
from unstoppable.secrets.reference import NotGiven


@click.command(cls=Speaking)
@resource_argument
@click.option("--dry-run", is_flag=True, help="Check settings, key, pins and source; read nothing.")
@click.option(
    "--accept-shrink",
    is_flag=True,
    help="However much smaller the source became, and whatever is no longer mounted in it.",
)
@click.option(
    "--slot",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    hidden=True,
    help="The moment it was due, from who plans.",
)
@secrets_option
@click.option("--cannot", hidden=True, help="Why the secrets of this run could not be read.")
@signs_option
@click.option("--confined", is_flag=True, hidden=True, help="Give up what this run does not need.")
@click.pass_obj
def backup(  # noqa: PLR0913 - one for each option
    session: Session,
    *,
    asked: str | None,
    dry_run: bool,
    accept_shrink: bool,
    slot: datetime | None,
    cannot: str | None,
    confined: bool,
) -> int:
    """Make a backup now.

    Stopped by Ctrl-C or SIGTERM it keeps what it has, and the next one goes on from there.

    Example:
      unstoppable backup
      unstoppable backup --accept-shrink

    Exit codes:
      0 succeeded    1 failed    2 wrong usage    3 partial: some paths could not be stored
      10 no repository    11 skipped, another run is going on
      12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, asked, secrets=session.secrets, is_alone=confined)
    if cannot is not None:
        configuration = _without_key(configuration, cannot)
    with _confined(session, configuration, slot) if confined else nullcontext() as clerk:
        if dry_run:
            return _rehearse(session, configuration, clerk, accept_shrink=accept_shrink)
        # Of a run that somebody started, whoever did tells others, from the journal.
        tells = nullcontext() if confined else sending(session, configuration, is_by_hand=True)
        with tells:
            return run_now(
                session, configuration, accept_shrink=accept_shrink, slot_at=slot, clerk=clerk
            )


def run_now(  # noqa: PLR0913 - what is wanted, and for whom
    session: Session,
    configuration: Configuration,
    *,
    accept_shrink: bool = False,
    slot_at: datetime | None = None,
    is_first: bool = False,
    clerk: Clerk | None = None,
) -> int:
    """Make a backup, for a slot where one is due, tell how it ended and return its exit code.

    The first one is proved by restoring a sample of it.
    """
    source = source_of(configuration, accept_shrink=accept_shrink)
    terms = Terms(
        slot_at=slot_at,
        max_runtime_hours=configuration.settings.max_runtime,
        is_impatient=configuration.settings.overlap == SKIP,
        patience=watchdog.PATIENCE,
        complain=lambda error: output.complain(error, is_verbose=session.is_verbose),
        sign=session.sign,
    )
    with stoppable() as cancel:
        with showing("read", cancel, in_logs=slot_at is None) as watch:
            verdict = back_up(configuration.installation(), source, watch, terms, clerk)
        proof = prove(configuration, verdict.record, source, cancel) if is_first else None
        # Signals still only wish: the verdict is told whole.
        more = {"proof": proof.document} if proof else {}
        code = records.tell(session, verdict, source=printable(str(source.place)), more=more)
        said = proof.tell(session) if proof else 0
        return code or said


def source_of(configuration: Configuration, *, accept_shrink: bool = False) -> Source:
    """Return what is read, and how."""
    settings = configuration.settings
    return Source(
        place=configuration.source,
        exclude=settings.exclude,
        own_folders=tuple(configuration.own_folders.values()),
        one_file_system=settings.one_file_system,
        max_shrink_percent=None if accept_shrink else settings.max_shrink,
    )


def require_listable(configuration: Configuration) -> None:
    """Raise SourceUnavailable where the source's own folder cannot be listed."""
    source, resource = configuration.source, configuration.resource
    if isinstance(source, FtpsSource):
        ServerVisit(source, resource).folder(b"")
        return
    try:
        next(source.iterdir(), None)
    except OSError as error:
        raise SourceUnavailable(resource=resource, cause=error) from error


def _without_key(configuration: Configuration, reason: str) -> Configuration:
    """Return settings by which a run fails, and records why."""
    error = SecretsNotHad(resource=configuration.resource, reason=reason)
    key = Given(value=NotGiven(error), origin=HANDED_OVER)
    return dataclasses.replace(configuration, given={**configuration.given, ROOT_KEY: key})


@contextmanager
def _confined(
    session: Session, configuration: Configuration, slot_at: datetime | None
) -> Iterator[Clerk]:
    """Give up what a run does not need, for good, but for its clerk.

    A kernel that does not keep all of that is told.
    """
    run = new_run(configuration.resource, slot_at)
    with beside(configuration.settings.state, run) as clerk:
        held = confine(configuration.installation(), source_of(configuration))
        if session.is_verbose or not (held.files and held.children):
            output.say(f"note: {held.told}")
        yield clerk


def _rehearse(
    session: Session, configuration: Configuration, clerk: Clerk | None, *, accept_shrink: bool
) -> int:
    installation, source = configuration.installation(), configuration.source
    pins = pins_file.require(installation.pins_file, installation.resource)
    places = installation.places(pins, uses_hot=False)
    Repository.open(places, installation.key.of_repository(places), pins, mode="read")
    read = source_of(configuration, accept_shrink=accept_shrink)
    guard = MountGuard(clerk or Journal(installation.state), installation.resource, read)
    guard.check_source()
    require_listable(configuration)
    if guard.failure is not None:
        raise guard.failure
    if session.is_json:
        output.document({"resource": str(installation.resource), "source": str(source)})
    else:
        output.data(
            f"would back up {printable(str(source))} to {printable(str(places.cold))}; "
            "key, pins and source are in order, no file was read"
        )
    return 0
