"""What a set-up says at its end."""

from unstoppable.cli import output, records, sheet_state
from unstoppable.cli.backup import require_listable, source_of
from unstoppable.cli.calling import who_calls
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.proof import prove
from unstoppable.cli.watch import stoppable
from unstoppable.domain.health import last_stored
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.run import RunRecord
from unstoppable.domain.text import printable
from unstoppable.runner.journal import Journal


def last_backup(configuration: Configuration) -> RunRecord | None:
    """Return the last run that left a backup; None where there was none."""
    journal = Journal(configuration.settings.state)
    return last_stored(journal.telling(configuration.resource))


def tell_ready(session: Session, configuration: Configuration, backup: RunRecord) -> int:
    """Tell that everything was there, and prove the last backup; returns the exit code.

    The proof of the first one may have failed, or never have been made. Raises SourceUnavailable.
    """
    require_listable(configuration)
    with stoppable() as cancel:
        proof = prove(configuration, backup, source_of(configuration), cancel)
    if session.is_json:
        document = records.as_document(backup)
        output.document({**document, "proof": proof.document if proof else None})
    else:
        when, source = output.local(backup.run.started_at), printable(str(configuration.source))
        output.data(
            f"set up already: {source} was backed up at {when}; nothing was changed, "
            "`unstoppable backup` makes another"
        )
    return proof.tell(session) if proof else ExitCode.SUCCEEDED


def say_next(configuration: Configuration) -> None:
    """Tell what to do after a first backup."""
    is_called = bool(who_calls(configuration))
    steps = (
        sheet_state.look(configuration).to_do,
        "`unstoppable restore --to FOLDER`, to have done it once before you need it",
        "`unstoppable status`, now and then: it tells what happened last"
        if is_called
        else "`unstoppable schedule install`, to have it done every night",
    )
    for number, step in enumerate(steps, 1):
        output.say(f"next {number}: {step}")
