"""`unstoppable check`."""

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking, check_resource, resource_argument
from unstoppable.cli.opening import open_to_read
from unstoppable.cli.settings import load
from unstoppable.cli.watch import showing, stoppable
from unstoppable.domain.errors import RepositoryDamaged
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import count, size


@click.command(cls=Speaking)
@resource_argument
@click.option("--read-data", is_flag=True, help="Read and verify every byte that is stored.")
@click.pass_obj
def check(session: Session, *, asked: str | None, read_data: bool) -> int:
    """Check what is stored, and that it can be read.

    Looks at cold alone: every snapshot, tree and index, and with --read-data every byte.

    Example:
      unstoppable check --read-data

    Exit codes:
      0 whole    1 damaged, or failed    2 wrong usage    10 no repository
      12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file)
    resource = configuration.resource
    check_resource(asked, resource)
    repository = open_to_read(configuration)
    with stoppable() as cancel, showing("checked", cancel) as watch:
        found = repository.check(read_data=read_data, watch=watch)
    output.issues(found.issues, found.issue_count)
    amounts = f"{count(found.snapshots, 'snapshot')}, {count(found.objects, 'object')}"
    if session.is_json:
        document = {
            "resource": str(resource),
            "snapshots": found.snapshots,
            "objects": found.objects,
            "bytes_read": found.bytes_read,
            "read_data": read_data,
            "issue_count": found.issue_count,
            "issues": output.issue_list(found.issues),
        }
        output.document(document)
    elif not found.issue_count:
        how = "all data was read" if read_data else "the data was not read, see --read-data"
        output.data(f"whole: {resource} ({amounts}, {size(found.bytes_read)} read); {how}")
    if found.issue_count:
        cause = f"{count(found.issue_count, 'finding')} in {amounts}"
        output.complain(RepositoryDamaged(resource=resource, cause=cause))
        return ExitCode.FAILED
    return ExitCode.SUCCEEDED
