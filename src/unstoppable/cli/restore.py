"""`unstoppable restore`."""

import os
import shutil
from pathlib import Path
from typing import TypedDict, Unpack

import click

from unstoppable.cli import output
from unstoppable.cli.command import (
    Session,
    Speaking,
    at_option,
    complete_folder,
    resource_argument,
)
from unstoppable.cli.configuration import PREFIX, Configuration, real
from unstoppable.cli.opening import choose_snapshot, open_to_read
from unstoppable.cli.settings import load
from unstoppable.cli.target import Standing, look
from unstoppable.cli.watch import showing, stoppable
from unstoppable.domain.at import LATEST
from unstoppable.domain.errors import Refused, SnapshotUnknown, UnfinishedUnknown
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.snapshot import Restored, RestorePlan, Snapshot
from unstoppable.domain.text import count, printable, size
from unstoppable.engine import Repository, Target


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
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to.",
    shell_complete=complete_folder,
)
@at_option
@click.option("--path", metavar="P", help="Only this folder or file of the source.")
@click.option("--exact", is_flag=True, help="Also owners, devices and every attribute (as root).")
@click.option("--overwrite", is_flag=True, help="Into any folder: replace what differs there.")
@click.option(
    "--dry-run", is_flag=True, help="Tell what it would write, and how much; write nothing."
)
@click.pass_obj
def restore(session: Session, **options: Unpack[_Options]) -> int:
    """Bring back what a snapshot holds.

    The content of the source comes directly into DIR, which must be empty or not exist yet.
    One that was cut off goes on with the same command: what is right stays as it is, and
    without --at it is its own snapshot that goes on, though there be a newer one.
    --overwrite restores into any folder; files that the snapshot lacks stay there.
    Needs UNSTOPPABLE_COLD and the key, nothing else.
    Dates are local: a day means its end.

    Example:
      unstoppable restore --to /tmp/back
      unstoppable restore --at 2026-11-24 --path www/index.html --to /tmp/back

    Exit codes:
      0 restored    1 failed    2 wrong usage    3 partial: some paths are not as they were
      10 no repository    12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, options["asked"])
    resource = configuration.resource
    _refuse_own_folders(options["to"], configuration)
    standing = look(options["to"])
    repository = open_to_read(configuration)
    snapshot = _choose(repository, options["at"], standing, resource)
    path = None if options["path"] is None else os.fsencode(options["path"])
    if options["dry_run"]:
        standing.refuse(snapshot.id, resource, overwrite=options["overwrite"])
        with stoppable() as cancel, showing("planned", cancel) as watch:
            plan = repository.plan(snapshot.id, path=path, exact=options["exact"], watch=watch)
        return _tell_plan(session, snapshot, options["to"], plan)
    with stoppable() as cancel, showing("restored", cancel) as watch:
        restored = repository.restore(
            snapshot.id,
            Target(folder=options["to"], overwrite=options["overwrite"]),
            path=path,
            exact=options["exact"],
            watch=watch,
        )
    return _tell(session, snapshot, options["to"], restored)


def _choose(
    repository: Repository, at: str, standing: Standing, resource: ResourceName
) -> Snapshot:
    """Return the snapshot that `at` means; the latest gives way to one that was cut off there."""
    unfinished = standing.unfinished
    if at != LATEST or unfinished is None:
        return choose_snapshot(repository, at, resource)
    try:
        snapshot = choose_snapshot(repository, unfinished, resource)
    except SnapshotUnknown as error:
        claim = standing.claim(unfinished)
        raise UnfinishedUnknown(resource=resource, snapshot=unfinished, claim=claim) from error
    output.say(f"going on with the unfinished restore of snapshot {snapshot.id[:8]}")
    return snapshot


def _refuse_own_folders(target: Path, configuration: Configuration) -> None:
    for field, folder in configuration.own_folders.items():
        if real(target).is_relative_to(real(folder)):
            cause = f"{target} lies inside {PREFIX}{field.upper()}={folder}"
            raise Refused(resource=configuration.resource, cause=cause)


def _tell_plan(session: Session, snapshot: Snapshot, target: Path, plan: RestorePlan) -> int:
    output.issues(plan.issues, plan.issue_count + plan.note_count)
    free_bytes = _free_bytes(target)
    if session.is_json:
        document = {
            "snapshot": snapshot.id,
            "to": target,
            "files": plan.files,
            "folders": plan.folders,
            "others": plan.others,
            "bytes_total": plan.bytes_total,
            "bytes_free": free_bytes,
            "issue_count": plan.issue_count,
            "issues": output.issue_list(plan.issues),
        }
        output.document(document)
    else:
        what = f"{count(plan.files + plan.others, 'file')}, {size(plan.bytes_total)}"
        where = printable(str(target))
        output.data(f"would restore snapshot {snapshot.id[:8]} to {where} ({what})")
    if free_bytes is None:
        output.say("note: how much is free there is unknown")
    elif plan.bytes_total > free_bytes:
        output.say(f"note: {size(free_bytes)} are free there, which is too little")
    return ExitCode.PARTIAL if plan.issue_count else ExitCode.SUCCEEDED


def _free_bytes(target: Path) -> int | None:
    """Return what is free where `target` is or would be made; None where that is not told."""
    for folder in (target, *target.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except OSError:
            break
    return None


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
        found = count(restored.issue_count, "issue")
        word = f"partial: {found}" if restored.issue_count else "restored"
        output.data(f"{word}: {where} ({what})")
    return ExitCode.PARTIAL if restored.issue_count else ExitCode.SUCCEEDED
