"""`unstoppable check`."""

from datetime import UTC, datetime

import click

from unstoppable.cli import output
from unstoppable.cli.command import (
    Session,
    Speaking,
    complete_with,
    resource_argument,
)
from unstoppable.cli.opening import open_to_read
from unstoppable.cli.settings import load
from unstoppable.cli.watch import showing, stoppable
from unstoppable.domain.errors import RepositoryDamaged
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.rotation import ALL_PERCENT, Part, part_of_day
from unstoppable.domain.snapshot import Checked
from unstoppable.domain.text import count, size


class _Share(click.ParamType[int]):
    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return how many percent are meant."""
        text = str(value)
        digits = text.removesuffix("%")
        if text == "all":
            return ALL_PERCENT
        is_number = digits.isascii() and digits.isdigit() and text.endswith("%")
        if not is_number or not 1 <= int(digits) <= ALL_PERCENT:
            self.fail(f"{text!r} is neither all nor 1% to 100%", param, ctx)
        return int(digits)


@click.command(cls=Speaking)
@resource_argument
@click.option(
    "--read-data",
    "percent",
    type=_Share(),
    metavar="5%|all",
    help="Read and verify every byte: of all packs, or of a share that changes with the day.",
    shell_complete=complete_with("all", "5%"),
)
@click.pass_obj
def check(session: Session, *, asked: str | None, percent: int | None) -> int:
    """Check what is stored, and that it can be read.

    Looks at cold alone: every snapshot, tree and index, and what each pack says it holds.
    With --read-data also every byte; 5% every day has read all of them after 20 days.

    Example:
      unstoppable check --read-data all
      unstoppable check --read-data 5%

    Exit codes:
      0 whole    1 damaged, or failed    2 wrong usage    10 no repository
      12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, asked)
    resource = configuration.resource
    part = None if percent is None else part_of_day(percent, datetime.now(UTC))
    repository = open_to_read(configuration)
    with stoppable() as cancel, showing("checked", cancel) as watch:
        found = repository.check(part=part, watch=watch)
    return _tell(session, resource, found, part)


def _tell(session: Session, resource: ResourceName, found: Checked, part: Part | None) -> int:
    output.issues(found.issues, found.issue_count)
    amounts = f"{count(found.snapshots, 'snapshot')}, {count(found.objects, 'object')}"
    if session.is_json:
        document = {
            "resource": str(resource),
            "snapshots": found.snapshots,
            "objects": found.objects,
            "bytes_read": found.bytes_read,
            "read_data": part and {"part": part.number, "parts": part.count},
            "issue_count": found.issue_count,
            "issues": output.issue_list(found.issues),
        }
        output.document(document)
    elif not found.issue_count:
        read = f"{amounts}, {size(found.bytes_read)} read"
        output.data(f"whole: {resource} ({read}); {_how(part)}")
    if found.issue_count:
        cause = f"{count(found.issue_count, 'finding')} in {amounts}; {_how(part)}"
        output.complain(RepositoryDamaged(resource=resource, cause=cause))
        return ExitCode.FAILED
    return ExitCode.SUCCEEDED


def _how(part: Part | None) -> str:
    if part is None:
        return "the data was not read, see --read-data"
    if part.is_all:
        return "all data was read"
    return f"of the data part {part.number} of {part.count} was read, today's"
