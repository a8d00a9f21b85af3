"""What a run writes into the journal, and asks it; a journal that fails stops no backup."""

from collections.abc import Callable
from typing import TypeVar

from unstoppable.domain.errors import FolderUnusable, JournalUnusable, Killed, UnstoppableError
from unstoppable.domain.record_errors import (
    EmitterUnusable,
    JournalDamaged,
    JournalLost,
    JournalSetAside,
)
from unstoppable.domain.run import Run, RunRecord
from unstoppable.runner.run_journal import RunJournal

_Answer = TypeVar("_Answer")


def killed(record: RunRecord) -> RunRecord:
    """Return the record of a run that is dead; when it was killed nobody knows."""
    return RunRecord.of_error(record.run, Killed(pid=record.run.pid), ended_at=None)


class Pen:
    """Writes into the journal and remembers why it could not."""

    def __init__(self, journal: RunJournal) -> None:
        self._journal = journal
        self.failure: UnstoppableError | None = None
        self.set_aside: JournalSetAside | JournalLost | None = None
        """The journal, damaged or lost, in whose place a new one was begun."""

    def write(self, record: RunRecord) -> None:
        """Write a whole record: the last one that succeeds makes up for those before it."""
        try:
            lost = self._mending(lambda: self._journal.write(record))
            self.set_aside = self.set_aside or lost
        except (JournalUnusable, FolderUnusable, EmitterUnusable) as error:
            self.failure = error
        else:
            self.failure = None

    def is_served(self, run: Run) -> bool:
        """Return whether another run began for the same slot, as far as the journal says."""
        slot = run.slot_at
        if slot is None:
            return False
        return self._ask(
            lambda: self._journal.has_run_for(run.resource, slot, until=run.started_at),
            otherwise=False,
        )

    def is_at_work(self, run: Run) -> bool:
        """Return whether a run of the same resource is going on, as far as the journal says."""
        going_on = self._ask(
            lambda: self._journal.going_on(run.resource.customer),
            otherwise=None,
        )
        if going_on is None:
            return True
        others = (record.run for record in going_on)
        return any(one.resource == run.resource and one.slot_at != run.slot_at for one in others)

    def has_complete(self, run: Run) -> bool:
        """Return whether the resource has a complete snapshot, as far as the journal says."""
        return self._ask(lambda: self._journal.has_complete(run.resource), otherwise=False)

    def bury(self, run: Run) -> None:
        """Record runs as killed that have no outcome though the lane was free."""
        nobody: list[RunRecord] = []
        customer = run.resource.customer
        for record in self._ask(lambda: self._journal.going_on(customer), otherwise=nobody):
            if record.run.id != run.id:
                self.write(killed(record))

    def _ask(self, question: Callable[[], _Answer], *, otherwise: _Answer) -> _Answer:
        try:
            return self._mending(question)
        except JournalUnusable as error:
            self.failure = error
            return otherwise

    def _mending(self, use: Callable[[], _Answer]) -> _Answer:
        """Use the journal; one that is damaged is put aside first, once in a run."""
        try:
            return use()
        except JournalDamaged:
            if self.set_aside is not None:
                raise
            self.set_aside = self._journal.set_aside()
            return use()
