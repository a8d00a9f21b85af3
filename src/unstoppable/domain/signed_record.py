"""What is signed of a run: its record, and the place that it has among those of its emitter."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from unstoppable.domain.canonical import canonical, read_canonical
from unstoppable.domain.emitter import Emitter, EmitterKey
from unstoppable.domain.envelope import seal, signed_bytes, unseal
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_form import Start, check_form

PAYLOAD_TYPE = "application/vnd.unstoppable.run.v1+json"
LARGEST_PAYLOAD_BYTES = 10_000
_PLACE = ("emitter", "chain", "sequence", "previous", "start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record stands."""

    chain: str
    """32 hex digits, by chance."""
    sequence: int
    """From 1 on, without a gap."""
    previous: str | None
    """The digest of the record before it; None in the first."""
    start: Start | None
    """None in all but the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRecord:
    """A record of which the signature was verified."""

    place: Place
    digest: str
    """Of this record, which the next one names."""
    run: str
    customer: str
    outcome: Outcome
    record: str
    """The run's own part, as `RunRecord.to_json` wrote it."""

    @classmethod
    def open(cls, envelope: bytes, emitter: Emitter) -> Self:
        """Return what the emitter signed; raises ValueError for everything else."""
        payload = unseal(envelope, PAYLOAD_TYPE, emitter)
        found = read_canonical(payload, largest_bytes=LARGEST_PAYLOAD_BYTES)
        check_form(found)
        if found["emitter"] != emitter.id:
            cause = f"it says that another emitter signed it than {emitter.id}"
            raise ValueError(cause)
        if found["customer"] != emitter.name:
            cause = f"it is of another customer than {emitter.name}"
            raise ValueError(cause)
        return cls(
            place=_place(found),
            digest=_digest(payload),
            run=found["run"],
            customer=found["customer"],
            outcome=Outcome(found["outcome"]),
            record=canonical(
                {name: value for name, value in found.items() if name not in _PLACE}
            ).decode(),
        )


def sign(record: str, place: Place, key: EmitterKey) -> tuple[bytes, str]:
    """Return the envelope of a run's record, as `RunRecord.to_json` wrote it, and its digest."""
    payload = canonical({**json.loads(record), **asdict(place), "emitter": key.emitter.id})
    return seal(PAYLOAD_TYPE, payload, key), _digest(payload)


def _digest(payload: bytes) -> str:
    """Return the SHA-256 of what was signed: the type counts, the form of the envelope does not."""
    return hashlib.sha256(signed_bytes(PAYLOAD_TYPE, payload)).hexdigest()


def _place(found: Mapping[str, Any]) -> Place:
    start = found["start"]
    if (found["sequence"] == 1) != (start is not None):
        raise ValueError("the first record of a chain, and no other, tells why it begins")
    if (start is None) != (found["previous"] is not None):
        raise ValueError("every record but the first of a chain names the one before it")
    return Place(
        chain=found["chain"],
        sequence=found["sequence"],
        previous=found["previous"],
        start=None if start is None else Start(start),
    )
