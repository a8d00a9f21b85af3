"""`unstoppable hot`."""

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.settings import load
from unstoppable.cli.watch import showing, stoppable
from unstoppable.domain.errors import RepositoryDamaged
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.snapshot import Rebuilt
from unstoppable.domain.text import count, size
from unstoppable.runner.hot import rebuild as rebuild_hot


@click.group()
def hot() -> None:
    """Mend the cache of a repository's metadata."""


@hot.command(cls=Speaking)
@resource_argument
@click.option("--dry-run", is_flag=True, help="Read and verify the same; write nothing.")
@click.pass_obj
def rebuild(session: Session, *, asked: str | None, dry_run: bool) -> int:
    """Make the cache what it should be, from cold.

    Every object in it is verified; what is wrong or does not belong there is set aside, and
    snapshots, index and all folders' content are filled. Cold is only read.

    Example:
      unstoppable hot rebuild
      unstoppable hot rebuild --dry-run

    Exit codes:
      0 rebuilt    1 cold is damaged, or failed    2 wrong usage    10 no repository
      11 skipped, a run is going on    12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, asked)
    resource = configuration.resource
    with stoppable() as cancel, showing("verified", cancel) as watch:
        found = rebuild_hot(configuration.installation(), watch, dry_run=dry_run)
    output.issues(found.issues, found.issue_count)
    if session.is_json:
        output.document(_document(resource, found, dry_run=dry_run))
    else:
        output.data(_sentence(resource, found, dry_run=dry_run))
    if found.issue_count:
        cause = f"{count(found.issue_count, 'object')} of cold cannot be cached"
        output.complain(RepositoryDamaged(resource=resource, cause=cause))
        return ExitCode.FAILED
    return ExitCode.SUCCEEDED


def _sentence(resource: ResourceName, found: Rebuilt, *, dry_run: bool) -> str:
    word = "would rebuild" if dry_run else "rebuilt"
    filled = f"{count(found.filled, 'object')} filled ({size(found.filled_bytes)})"
    return (
        f"{word}: the cache of {resource}: {count(found.kept, 'object')} right, {filled}, "
        f"{found.set_aside:,} set aside"
    )


def _document(resource: ResourceName, found: Rebuilt, *, dry_run: bool) -> dict[str, object]:
    return {
        "resource": str(resource),
        "dry_run": dry_run,
        "kept": found.kept,
        "filled": found.filled,
        "filled_bytes": found.filled_bytes,
        "set_aside": found.set_aside,
        "issue_count": found.issue_count,
        "issues": output.issue_list(found.issues),
    }
