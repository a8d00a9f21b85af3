"""The proof that ends a set-up: some files come back from cold as they are."""

from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from unstoppable.cli import output
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.opening import open_to_read
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import KEPT, ExitCode
from unstoppable.domain.run import RunRecord
from unstoppable.domain.setup_errors import CameBackDifferent, NotProved
from unstoppable.domain.storage_errors import StorageDenied
from unstoppable.domain.text import count, printable, size
from unstoppable.engine import Cancel, Repository, ServerVisit, Source
from unstoppable.runner.sample import Sample, restore_sample
from unstoppable.runner.server_sample import Looking, restore_server_sample

_DENIED = (
    "not proved: the access key may not read what it stored; `unstoppable init` proves it "
    "with one that may, from the environment say"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How the proof went."""

    source: str
    sample: Sample | None
    error: UnstoppableError | None
    """Why there is no sample, or what is wrong with it."""
    is_denied: bool = False
    """The access key may not read what it stored, as is right for that of a backup."""

    @property
    def document(self) -> dict[str, object]:
        """The proof for JSON."""
        sample = self.sample
        return {
            "files": sample.files if sample else 0,
            "bytes": sample.size_bytes if sample else 0,
            "different": [printable(path) for path in sample.different] if sample else [],
            "error": str(self.error) if self.error else _DENIED if self.is_denied else None,
        }

    def tell(self, session: Session) -> ExitCode:
        """Tell it in one sentence; returns the exit code that follows from it."""
        if self.error is not None:
            output.complain(self.error, is_verbose=session.is_verbose)
            return self.error.exit_code
        if self.is_denied:
            output.say(f"note: {_DENIED}")
        if self.sample is not None and not session.is_json:
            output.data(_sentence(self.sample, self.source))
        is_cancelled = self.sample is not None and self.sample.is_cancelled
        return ExitCode.CANCELLED if is_cancelled else ExitCode.SUCCEEDED


def prove(
    configuration: Configuration, record: RunRecord, source: Source, cancel: Cancel
) -> Proof | None:
    """Restore a sample of what a run stored, from cold alone; None where it stored no backup."""
    if record.outcome not in KEPT:
        return None
    resource, sample = configuration.resource, None
    error: UnstoppableError | None = None
    try:
        repository = open_to_read(configuration)
        sample = _sample(repository, record, source, cancel)
    except StorageDenied:
        return Proof(source=printable(str(source.place)), sample=None, error=None, is_denied=True)
    except UnstoppableError as cause:
        error = NotProved(resource=resource, cause=cause)
        error.__cause__ = cause
    if sample is not None and sample.different:
        found = count(len(sample.different), "file")
        first = sample.different[0]
        error = CameBackDifferent(resource=resource, path=first, count=found, files=sample.files)
    return Proof(source=printable(str(source.place)), sample=sample, error=error)


def _sample(repository: Repository, record: RunRecord, source: Source, cancel: Cancel) -> Sample:
    chance = SystemRandom()
    if isinstance(source.place, Path):
        return restore_sample(repository, record, source, chance=chance, cancel=cancel)
    visit = ServerVisit(source.place, record.run.resource)
    looking = Looking(visit, is_whole=not source.exclude)
    return restore_server_sample(repository, record, looking, chance=chance, cancel=cancel)


def _sentence(sample: Sample, source: str) -> str:
    if sample.is_cancelled:
        return "not proved: cancelled; the backup is stored, and `unstoppable init` proves it again"
    if not sample.files:
        return f"not proved: {source} held no file to compare that is small and did not change"
    amount = f"{count(sample.files, 'file')}, {size(sample.size_bytes)}"
    return f"proved: a random sample of {source} came back from cold unchanged ({amount})"
