"""Whether signed records follow one another, which shows that none was taken away or put in."""

from collections.abc import Iterable, Iterator

from unstoppable.domain.emitter import Emitter
from unstoppable.domain.record_errors import RecordsBroken
from unstoppable.domain.record_form import Start
from unstoppable.domain.signed_record import SignedRecord


def follow(
    envelopes: Iterable[bytes], emitter: Emitter, *, after: SignedRecord | None = None
) -> Iterator[SignedRecord]:
    """Return the records in the envelopes, which one emitter signed, oldest first.

    `after` is the last one that is known already; None where they begin with a chain's first.
    A chain that begins after another one is whole: its first record tells what was lost.
    That the last ones are missing nobody can tell from those that are there.
    Raises RecordsBroken at the first envelope that does not follow, whatever it holds.
    """
    for envelope in envelopes:
        try:
            record = SignedRecord.open(envelope, emitter)
            _check_place(record, after)
        except ValueError as error:
            last = f"record {after.place.sequence}" if after else "their beginning"
            raise RecordsBroken(name=emitter.name, last=last, cause=error) from error
        yield record
        after = record


def _check_place(record: SignedRecord, last: SignedRecord | None) -> None:
    place = record.place
    if last is None:
        if place.sequence != 1:
            cause = f"record {place.sequence} comes where the first one should"
            raise ValueError(cause)
    elif place.start is not None and place.chain != last.place.chain:
        if place.start is not Start.JOURNAL_LOST:
            raise ValueError("a chain begins that says there was no other of this key before it")
    elif place.chain != last.place.chain:
        cause = f"record {place.sequence} belongs to another chain, {place.chain}"
        raise ValueError(cause)
    else:
        _check_order(record, last)


def _check_order(record: SignedRecord, last: SignedRecord) -> None:
    number, wanted = record.place.sequence, last.place.sequence + 1
    if number > wanted:
        cause = f"record {number} comes where {wanted} should, which is missing"
        raise ValueError(cause)
    if number < wanted:
        cause = f"record {number} comes where {wanted} should: once more, or too late"
        raise ValueError(cause)
    if record.place.previous != last.digest:
        cause = f"record {number} follows another record {last.place.sequence}"
        raise ValueError(cause)
