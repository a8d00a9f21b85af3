"""`unstoppable runs`."""

import click

from unstoppable.cli import output, records
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.settings import load
from unstoppable.runner import lane
from unstoppable.runner.journal import Journal

_SHOWN = 20


@click.command(cls=Speaking)
@resource_argument
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=_SHOWN,
    show_default=True,
    metavar="N",
    help="How many.",
)
@click.pass_obj
def runs(session: Session, *, asked: str | None, last: int) -> int:
    """List past runs, newest first.

    Example:
      unstoppable runs --last 5

    Exit codes:
      0 listed    1 failed    2 wrong usage
    """
    configuration = load(session.env_file, asked)
    resource, settings = configuration.resource, configuration.settings
    found = Journal(settings.state).runs(resource, limit=last)
    if session.is_json:
        output.document([records.as_document(record) for record in found])
        return 0
    is_held = lane.is_held(lane.lane_file(settings.hot, resource))
    rows = [
        (
            record.run.id,
            output.local(record.run.started_at),
            records.outcome(record, lane_is_held=is_held),
            records.took(record),
            (record.snapshot_id or "")[: records.SHORT_ID],
            record.message or "",
        )
        for record in found
    ]
    output.table(("run", "started", "outcome", "took", "snapshot", "message"), rows)
    return 0
