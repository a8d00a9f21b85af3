"""Signed records are frozen: document, program and a few lines without it agree."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from unstoppable.domain.chain import follow
from unstoppable.domain.emitter import Emitter, EmitterKey
from unstoppable.domain.record_form import Start
from unstoppable.domain.run import RunRecord
from unstoppable.domain.signed_record import Place, SignedRecord, sign

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/record.json").read_text())
EMITTER, RECORDS = VECTORS["emitter"], VECTORS["records"]
PUBLIC_KEY = bytes.fromhex(EMITTER["public_key"])
DOCUMENT = (ROOT / "docs/formats.md").read_text()
CHAPTER = DOCUMENT.partition("### The signed record")[2]
RUN = DOCUMENT.partition("## Run record")[2].partition("### The signed record")[0]
(SIGNATURE,) = (one["sig"] for one in json.loads(RECORDS[1]["envelope"])["signatures"])
OTHER_SIGNATURE = ("A" if SIGNATURE[0] != "A" else "B") + SIGNATURE[1:]
TYPE = "application/vnd.unstoppable.run.v1+json"

records = pytest.mark.parametrize("vector", RECORDS, ids=lambda vector: vector["about"])


def encoding_by_hand(payload: bytes) -> bytes:
    """Return what DSSE has signed, written as its specification says."""
    parts = [b"DSSEv1", str(len(TYPE)).encode(), TYPE.encode(), str(len(payload)).encode(), payload]
    return b" ".join(parts)


def plain_json(fields: dict[str, Any]) -> bytes:
    """Return canonical JSON, without the library: names are ASCII and numbers whole."""
    return json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def test_a_few_lines_without_our_code_name_the_emitter():
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(EMITTER["private_key"]))
    fingerprint = hashlib.sha256(b"unstoppable/emitter/v1\0" + PUBLIC_KEY).hexdigest()

    assert private.public_key().public_bytes_raw() == PUBLIC_KEY
    assert EMITTER["id"] == f"acme:{fingerprint}"


@records
def test_a_few_lines_without_our_code_verify_a_record(vector):
    envelope = json.loads(vector["envelope"])
    (signature,) = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"])
    signed = encoding_by_hand(payload)

    public = Ed25519PublicKey.from_public_bytes(PUBLIC_KEY)
    public.verify(base64.b64decode(signature["sig"]), signed)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature["sig"]), signed + b" ")
    assert (envelope["payloadType"], signature["keyid"]) == (TYPE, EMITTER["id"])
    assert signed.hex() == vector["signed_bytes"]
    assert hashlib.sha256(signed).hexdigest() == vector["digest"]
    assert payload.decode() == vector["payload"]
    assert plain_json(json.loads(payload)) == payload
    assert plain_json(envelope).decode() == vector["envelope"]


@records
def test_the_payload_is_the_record_and_its_place(vector):
    payload, record = json.loads(vector["payload"]), json.loads(vector["record"])

    place = {name: payload[name] for name in payload.keys() - record.keys()}
    assert payload == {**record, **place}
    assert place == {
        "emitter": EMITTER["id"],
        "chain": VECTORS["chain"],
        "sequence": vector["sequence"],
        "previous": vector["previous"],
        "start": vector["start"],
    }


def test_each_record_names_the_one_before_it():
    assert [vector["previous"] for vector in RECORDS] == [
        None,
        *(vector["digest"] for vector in RECORDS[:-1]),
    ]


@records
def test_the_program_makes_the_same_bytes(vector):
    key = EmitterKey.from_text("acme", EMITTER["key_file"])
    start = vector["start"] and Start(vector["start"])
    place = Place(
        chain=VECTORS["chain"],
        sequence=vector["sequence"],
        previous=vector["previous"],
        start=start,
    )

    envelope, digest = sign(vector["record"], place, key)

    assert envelope.decode() == vector["envelope"]
    assert digest == vector["digest"]
    assert key.to_text() == EMITTER["key_file"]
    assert key.emitter == Emitter(name="acme", public_key=PUBLIC_KEY)
    assert key.emitter.id == EMITTER["id"]


@records
def test_the_program_reads_it_again(vector):
    emitter = Emitter(name="acme", public_key=PUBLIC_KEY)

    found = SignedRecord.open(vector["envelope"].encode(), emitter)

    assert (found.record, found.digest) == (vector["record"], vector["digest"])
    assert (found.place.sequence, found.place.previous) == (vector["sequence"], vector["previous"])
    read = RunRecord.from_json(found.record)
    assert (read.run.id, read.outcome) == (found.run, found.outcome)


def test_the_program_follows_them():
    emitter = Emitter(name="acme", public_key=PUBLIC_KEY)

    found = [*follow((vector["envelope"].encode() for vector in RECORDS), emitter)]

    assert [record.digest for record in found] == [vector["digest"] for vector in RECORDS]


def test_the_python_of_the_document_verifies_them_and_refuses_others():
    known: dict[str, Any] = {}
    exec(CHAPTER.partition("```python\n")[2].partition("```")[0], known)  # noqa: S102
    verify = known["verify"]
    lines = [vector["envelope"] for vector in RECORDS]

    assert [record["sequence"] for record in verify(lines, PUBLIC_KEY)] == [1, 2, 3]
    for wrong in (lines[:1] + lines[2:], lines[::-1], [lines[0], lines[0]]):
        with pytest.raises(ValueError, match="broken at line"):
            verify(wrong, PUBLIC_KEY)
    with pytest.raises(InvalidSignature):
        verify([lines[0], lines[1].replace(SIGNATURE, OTHER_SIGNATURE)], PUBLIC_KEY)
    with pytest.raises(InvalidSignature):
        verify(lines, bytes(31) + b"\1")


def test_the_document_tells_every_field_and_the_type():
    fields = json.loads(RECORDS[0]["payload"]).keys() - json.loads(RECORDS[0]["record"]).keys()

    assert {name for name in json.loads(RECORDS[0]["record"]) if f"`{name}`" not in RUN} == set()
    assert {name for name in fields if f"| `{name}` |" not in CHAPTER} == set()
    assert TYPE in CHAPTER
    assert EMITTER["id"][:13] in CHAPTER
