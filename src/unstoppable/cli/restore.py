"""`unstoppable restore`."""

import os
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, check_resource, resource_argument
from unstoppable.cli.opening import open_to_read
from unstoppable.cli.settings import PREFIX, Configuration, load
from unstoppable.cli.watch import showing, stoppable
from unstoppable.domain.at import LATEST, choose
from unstoppable.domain.errors import Refused
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.snapshot import Restored, Snapshot
from unstoppable.domain.text import count, printable, size
from unstoppable.engine import Target


class _Options(TypedDict):
    asked: str | None
    at: str
    path: str | None
    exact: bool
    overwrite: bool
    dry_run: bool
    to: Path


@click.command(cls=Speaking)
@resource_argument
@click.option(
    "--to", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where to."
)
@click.option("--at", default=LATEST, metavar="latest|ID|DATE", help="Newest at or before a date.")
@click.option("--path", metavar="P", help="Only this folder or file of the source.")
@click.option("--exact", is_flag=True, help="Also owners, devices and every attribute (as root).")
@click.option("--overwrite", is_flag=True, help="Into any folder: replace what differs there.")
@click.option("--dry-run", is_flag=True, help="Tell which snapshot it would be; write nothing.")
@click.pass_obj
def restore(session: Session, **options: Unpack[_Options]) -> int:
    """Bring back what a snapshot holds.

    The content of the source comes directly into DIR, which must be empty or not exist yet.
    One that was cut off goes on with the same command: what is right stays as it is.
    --overwrite restores into any folder; files that the snapshot lacks stay there.
    Needs UNSTOPPABLE_COLD and the key, nothing else.
    Dates are local: a day means its end.

    Example:
      unstoppable restore --to /tmp/back
      unstoppable restore --at 2026-11-24 --path www/index.html --to /tmp/back

    Exit codes:
      0 restored    1 failed    2 wrong usage    3 partial: some paths could not be written
      10 no repository    12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file)
    resource = configuration.resource
    check_resource(options["asked"], resource)
    _refuse_own_folders(options["to"], configuration)
    repository = open_to_read(configuration)
    found, issues = repository.snapshots()
    output.issues(issues, len(issues))
    snapshot = choose(found, options["at"], resource=resource, localize=datetime.astimezone)
    output.say(f"snapshot {snapshot.id[:8]} of {output.local(snapshot.time)}")
    if options["dry_run"]:
        return _tell_plan(session, snapshot, options["to"])
    path = None if options["path"] is None else os.fsencode(options["path"])
    with stoppable() as cancel, showing("restored", cancel) as watch:
        restored = repository.restore(
            snapshot.id,
            Target(folder=options["to"], overwrite=options["overwrite"]),
            path=path,
            exact=options["exact"],
            watch=watch,
        )
    return _tell(session, snapshot, options["to"], restored)


def _refuse_own_folders(target: Path, configuration: Configuration) -> None:
    for field in ("hot", "cold", "state"):
        folder = getattr(configuration.settings, field)
        if target.resolve().is_relative_to(folder.resolve()):
            cause = f"{target} lies inside {PREFIX}{field.upper()}={folder}"
            raise Refused(resource=configuration.resource, cause=cause)


def _tell_plan(session: Session, snapshot: Snapshot, target: Path) -> int:
    if session.is_json:
        output.document({"snapshot": snapshot.id, "to": target})
    else:
        much = "" if snapshot.bytes_total is None else f" ({size(snapshot.bytes_total)})"
        output.data(f"would restore snapshot {snapshot.id[:8]}{much} to {printable(str(target))}")
    return 0


def _tell(session: Session, snapshot: Snapshot, target: Path, restored: Restored) -> int:
    output.issues(restored.issues, restored.issue_count + restored.note_count)
    if session.is_json:
        document = {
            "snapshot": snapshot.id,
            "to": target,
            "files": restored.files,
            "folders": restored.folders,
            "others": restored.others,
            "bytes_written": restored.bytes_written,
            "bytes_kept": restored.bytes_kept,
            "issue_count": restored.issue_count,
            "issues": output.issue_list(restored.issues),
        }
        output.document(document)
    else:
        # Links count as files here as they do when a backup tells what it stored.
        files = restored.files + restored.others
        kept = f", {size(restored.bytes_kept)} of it was right" if restored.bytes_kept else ""
        what = f"{count(files, 'file')}, {size(restored.bytes_written)}{kept}"
        where = f"snapshot {snapshot.id[:8]} to {printable(str(target))}"
        lost = count(restored.issue_count, "path")
        word = f"partial: without {lost}" if restored.issue_count else "restored"
        output.data(f"{word}: {where} ({what})")
    return ExitCode.PARTIAL if restored.issue_count else ExitCode.SUCCEEDED
