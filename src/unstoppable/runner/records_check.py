"""Whether this machine's signed records are whole, and say what its journal says."""

from dataclasses import dataclass, replace
from pathlib import Path

from unstoppable.domain.chain import follow
from unstoppable.domain.emitter import Emitter
from unstoppable.domain.record_errors import RecordsBroken
from unstoppable.domain.record_form import Start
from unstoppable.domain.signed_record import SignedRecord
from unstoppable.runner import emitter_file
from unstoppable.runner.journal import Journal
from unstoppable.runner.signing import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSeen:
    """A chain that is whole."""

    chain: str
    emitter: str
    start: Start
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsSeen:
    """What was found whole."""

    emitter: str | None
    """Who signs now; None where nothing was signed yet."""
    chains: tuple[ChainSeen, ...]
    owed: int
    """Runs that ended and could not be signed yet."""

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(chain.records for chain in self.chains)


def check_records(state: Path, customer: str) -> RecordsSeen:
    """Return what the journal holds of a customer's signed records, all of them whole.

    Raises RecordsBroken at the first that is not, EmitterMissing or EmitterUnusable where the key
    of the last chain is not there or is another one, or JournalUnusable.
    """
    journal = Journal(state)
    books = journal.books(customer)
    look = _Look(customer)
    for kept in journal.envelopes(customer):
        look.follow(kept)
    if books.forgotten is not None:
        cause = f"run {books.forgotten} ended and has no signed record"
        raise look.broken(cause)
    chains = tuple(look.chains.values())
    if books.signer is None:
        return RecordsSeen(emitter=None, chains=chains, owed=books.owed)
    emitter = Emitter(name=customer, public_key=books.signer)
    emitter_file.require_same(state, emitter)
    return RecordsSeen(emitter=emitter.id, chains=chains, owed=books.owed)


class _Look:
    """Goes through the records of a customer; he may have had several emitters, one by one."""

    def __init__(self, customer: str) -> None:
        self._customer = customer
        self._emitter: Emitter | None = None
        self._last: SignedRecord | None = None
        self.chains: dict[str, ChainSeen] = {}

    def follow(self, kept: Kept) -> None:
        """Look at the next one; raises RecordsBroken."""
        emitter = Emitter(name=self._customer, public_key=kept.public_key)
        is_next_emitter = self._emitter not in {None, emitter}
        after = None if is_next_emitter else self._last
        (record,) = follow([kept.envelope], emitter, after=after)
        number = record.place.sequence
        if is_next_emitter and record.place.start is not Start.KEY_LOST:
            raise self.broken("another key goes on, and does not say that the one before was lost")
        if record.run != kept.run or record.record != kept.record:
            cause = f"of run {record.run} the journal says something else than record {number}"
            raise self.broken(cause)
        self._emitter, self._last = emitter, record
        self._count(record, emitter)

    def broken(self, cause: str) -> RecordsBroken:
        """Return what to raise about what comes after the last one."""
        last = f"record {self._last.place.sequence}" if self._last else "their beginning"
        return RecordsBroken(name=self._customer, last=last, cause=cause)

    def _count(self, record: SignedRecord, emitter: Emitter) -> None:
        place = record.place
        if place.start is not None:
            seen = ChainSeen(chain=place.chain, emitter=emitter.id, start=place.start, records=1)
        else:
            seen = replace(self.chains[place.chain], records=place.sequence)
        self.chains[place.chain] = seen
