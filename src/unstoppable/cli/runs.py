"""`unstoppable runs`."""

from functools import partial

import click

from unstoppable.cli import output, records
from unstoppable.cli.command import Session, Speaking, resource_argument
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.settings import load
from unstoppable.domain.record_form import Start
from unstoppable.domain.text import count
from unstoppable.runner import lane
from unstoppable.runner.journal import Journal
from unstoppable.runner.records_check import RecordsSeen, check_records

_SHOWN = 20
_LOST = {Start.JOURNAL_LOST: "a journal was lost", Start.KEY_LOST: "the key before it was lost"}


@click.command(cls=Speaking)
@resource_argument
@click.option(
    "--last",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"How many.  [default: {_SHOWN}, of signed records all]",
)
@click.option("--before", metavar="RUN", help="Those before this run.")
@click.option(
    "--signed",
    is_flag=True,
    help="Write the customer's signed records, oldest first, a line of JSON each.",
)
@click.option("--verify", is_flag=True, help="Check that the customer's signed records are whole.")
@click.pass_obj
def runs(  # noqa: PLR0913 - one for each option
    session: Session,
    *,
    asked: str | None,
    last: int | None,
    before: str | None,
    signed: bool,
    verify: bool,
) -> int:
    """List past runs, newest first.

    Signed records are those of all resources of the customer. Whole means that none is changed
    and none between others is missing; what is missing at the end another machine can tell alone.

    Example:
      unstoppable runs --last 5
      unstoppable runs --before 20261124-083000-012345-3f9a2b1c
      unstoppable runs --verify

    Exit codes:
      0 listed, or whole    1 failed, or not whole    2 wrong usage
    """
    if verify and (signed or last):
        raise click.UsageError(
            "--verify looks at all of them and takes neither --last nor --signed"
        )
    if before is not None and (signed or verify):
        raise click.UsageError("--before is for a list, neither for --signed nor for --verify")
    configuration = load(session.env_file, asked)
    if verify:
        return _verify(session, configuration)
    if signed:
        return _write_signed(configuration, last)
    return _list(session, configuration, last or _SHOWN, before)


def _list(session: Session, configuration: Configuration, last: int, before: str | None) -> int:
    resource, settings = configuration.resource, configuration.settings
    read = partial(Journal(settings.state).runs, resource, limit=last, before=before)
    if session.is_json:
        output.document([records.as_document(record) for record in read()])
        return 0
    path = lane.lane_file(settings.hot, resource)
    found, holder = records.at_once(read, partial(lane.holder, path))
    rows = [
        (
            record.run.id,
            output.local(record.run.started_at),
            records.outcome(record, holder=holder),
            records.took(record),
            (record.snapshot_id or "")[: records.SHORT_ID],
            record.message or "",
        )
        for record in found
    ]
    output.table(("run", "started", "outcome", "took", "snapshot", "message"), rows)
    return 0


def _write_signed(configuration: Configuration, last: int | None) -> int:
    journal = Journal(configuration.settings.state)
    kept = journal.envelopes(configuration.resource.customer, last=last)
    output.stream(one.envelope + b"\n" for one in kept)
    return 0


def _verify(session: Session, configuration: Configuration) -> int:
    customer = configuration.resource.customer
    found = check_records(configuration.settings.state, customer)
    if session.is_json:
        output.document(_document(customer, found))
        return 0
    if found.owed:
        output.say(f"note: {count(found.owed, 'run')} ended and could not be signed yet")
    for chain in found.chains:
        if chain.start in _LOST:
            output.say(f"note: {_LOST[chain.start]} before record 1 of chain {chain.chain}")
    if found.emitter is None:
        output.data(f"nothing to verify: no run of {customer} is signed yet")
    else:
        signed = count(found.records, "signed record")
        output.data(f"whole: {signed} of {customer}, the last one by {found.emitter}")
    return 0


def _document(customer: str, found: RecordsSeen) -> dict[str, object]:
    return {
        "customer": customer,
        "is_whole": True,
        "emitter": found.emitter,
        "records": found.records,
        "owed": found.owed,
        "chains": [
            {
                "chain": chain.chain,
                "emitter": chain.emitter,
                "start": chain.start,
                "records": chain.records,
            }
            for chain in found.chains
        ],
    }
