"""What a run asks of the journal, whoever keeps it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from unstoppable.domain.names import ResourceName
from unstoppable.domain.record_errors import JournalLost, JournalSetAside
from unstoppable.domain.run import RunRecord


class RunJournal(Protocol):
    """The journal itself, or a clerk; each call does and raises what `Journal`'s does."""

    def write(self, *records: RunRecord) -> JournalLost | None:
        """Keep the records."""

    def going_on(self, customer: str) -> list[RunRecord]:
        """Return the customer's runs that have no outcome."""

    def has_run_for(self, resource: ResourceName, slot_at: datetime, *, until: datetime) -> bool:
        """Return whether a run began for the slot."""

    def has_complete(self, resource: ResourceName) -> bool:
        """Return whether a run left a complete snapshot."""

    def mounts(self, resource: ResourceName) -> frozenset[bytes]:
        """Return the mount points that its next backup needs."""

    def remember_mounts(self, resource: ResourceName, points: Iterable[bytes]) -> None:
        """Keep the mount points that the next backup needs."""

    def set_aside(self) -> JournalSetAside | None:
        """Put a damaged journal under another name."""
