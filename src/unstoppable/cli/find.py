"""`unstoppable find`."""

import click

from unstoppable.cli import entries, output
from unstoppable.cli.command import (
    Session,
    Speaking,
    complete_at,
    resource_argument,
)
from unstoppable.cli.opening import choose_snapshot, open_to_read
from unstoppable.cli.records import SHORT_ID
from unstoppable.cli.settings import load
from unstoppable.cli.watch import interruptible
from unstoppable.domain.entry import Entry


@click.command(cls=Speaking)
@click.argument("pattern")
@resource_argument
@click.option(
    "--at", metavar="latest|ID|DATE", help="In this snapshot only.", shell_complete=complete_at
)
@click.pass_obj
def find(session: Session, *, pattern: str, asked: str | None, at: str | None) -> int:
    """Find files in all snapshots, newest first.

    Each version of a path is told once, with the newest snapshot that holds it.
    PATTERN is a name as in gitignore, or with a slash in it a path from the source on.

    Example:
      unstoppable find '*.sql'
      unstoppable find '/www/**/index.html' --at latest

    Exit codes:
      0 searched    1 failed    2 wrong usage    3 partial: something could not be read
      10 no repository    12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, asked)
    with interruptible(configuration.resource):
        repository = open_to_read(configuration)
        if at is None:
            snapshots, issues = repository.snapshots()
            output.issues(issues, len(issues))
        else:
            snapshots = [choose_snapshot(repository, at, configuration.resource)]
        newest_first = [snapshot.id for snapshot in reversed(snapshots)]
        with repository.search(pattern, newest_first) as found:
            return entries.tell(session, found, _with_snapshot)


def _with_snapshot(entry: Entry) -> str:
    return f"{entry.snapshot_id[:SHORT_ID]} {entries.as_line(entry)}"
