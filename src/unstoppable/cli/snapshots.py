"""`unstoppable snapshots`."""

import click

from unstoppable.cli import output, records
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.opening import open_to_read
from unstoppable.cli.settings import load
from unstoppable.domain.snapshot import Snapshot
from unstoppable.domain.text import printable, size


@click.command(cls=Speaking)
@resource_argument
@click.pass_obj
def snapshots(session: Session, *, asked: str | None) -> int:
    """List what can be restored, oldest first.

    Example:
      unstoppable snapshots

    Exit codes:
      0 listed    1 failed    2 wrong usage    10 no repository    12 wrong key or broken pin
    """
    configuration = load(session.env_file, asked)
    found, issues = open_to_read(configuration).snapshots()
    output.issues(issues, len(issues))
    if session.is_json:
        listed = [_document(snapshot) for snapshot in found]
        output.document({"snapshots": listed, "issues": output.issue_list(issues)})
    else:
        output.table(("snapshot", "time", "files", "size", "tags"), [_row(s) for s in found])
    return 0


def _row(snapshot: Snapshot) -> tuple[str, ...]:
    return (
        snapshot.id[: records.SHORT_ID],
        output.local(snapshot.time),
        "?" if snapshot.files_total is None else f"{snapshot.files_total:,}",
        "?" if snapshot.bytes_total is None else size(snapshot.bytes_total),
        printable(", ".join(snapshot.tags)),
    )


def _document(snapshot: Snapshot) -> dict[str, object]:
    return {
        "snapshot": snapshot.id,
        "resource": f"{snapshot.customer}/{snapshot.resource}",
        "time": snapshot.time,
        "files_total": snapshot.files_total,
        "bytes_total": snapshot.bytes_total,
        "tags": snapshot.tags,
        "run": snapshot.run_id,
    }
