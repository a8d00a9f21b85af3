"""Signed records that were changed, left out, put in or made up are named."""

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.test_run import LARGEST
from unstoppable.domain.canonical import canonical
from unstoppable.domain.chain import follow
from unstoppable.domain.emitter import Emitter, EmitterKey
from unstoppable.domain.envelope import LARGEST_ENVELOPE_BYTES, seal, signed_bytes, unseal
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import RecordsBroken
from unstoppable.domain.record_form import Start
from unstoppable.domain.run import Counts, Run, RunRecord
from unstoppable.domain.signed_record import (
    LARGEST_PAYLOAD_BYTES,
    PAYLOAD_TYPE,
    Place,
    SignedRecord,
    sign,
)

ALICE, MALLORY = EmitterKey.generate("alice"), EmitterKey.generate("mallory")
NEW_ALICE = EmitterKey.generate("alice")
RECORD = RunRecord(
    run=Run(
        id="r",
        resource=ResourceName(customer="alice", resource="www"),
        slot_at=None,
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
        pid=1,
    ),
    ended_at=datetime(2026, 11, 24, 1, tzinfo=UTC),
    outcome=Outcome.SUCCEEDED,
    exit_code=0,
    snapshot_id="f" * 64,
    counts=Counts(**dict.fromkeys(Counts.__slots__, 7)),
)
CHAIN, OTHER_CHAIN = "a" * 32, "b" * 32


def chain_of(
    length: int, *, name: str = CHAIN, start: Start = Start.FIRST, key: EmitterKey = ALICE
) -> list[bytes]:
    envelopes, previous = [], None
    for sequence in range(1, length + 1):
        place = Place(
            chain=name,
            sequence=sequence,
            previous=previous,
            start=start if sequence == 1 else None,
        )
        envelope, previous = sign(RECORD.to_json(), place, key)
        envelopes.append(envelope)
    return envelopes


FIVE = chain_of(5)


def broken(envelopes: Iterable[bytes], after: SignedRecord | None = None) -> str:
    with pytest.raises(RecordsBroken) as caught:
        list(follow(envelopes, ALICE.emitter, after=after))
    return str(caught.value).removeprefix("the signed records of alice are broken after ")


def changed(**fields: object) -> bytes:
    """Return the first record with other fields, signed by alice herself."""
    payload = json.loads(unseal(FIVE[0], PAYLOAD_TYPE, ALICE.emitter))
    return seal(PAYLOAD_TYPE, canonical({**payload, **fields}), ALICE)


def rewrapped(**fields: Any) -> bytes:
    """Return the first envelope with other fields around what was signed."""
    return canonical({**json.loads(FIVE[0]), **fields})


def test_a_whole_chain_is_followed_from_its_beginning_or_from_a_known_record():
    found = [*follow(FIVE, ALICE.emitter)]

    assert [record.place.sequence for record in found] == [1, 2, 3, 4, 5]
    assert {record.record for record in found} == {RECORD.to_json()}
    assert [*follow(FIVE[3:], ALICE.emitter, after=found[2])] == found[3:]
    assert [*follow([], ALICE.emitter)] == []


def test_a_record_that_was_taken_out_is_named():
    assert (
        broken(FIVE[:2] + FIVE[3:]) == "record 2: record 4 comes where 3 should, which is missing"
    )
    assert broken(FIVE[1:]) == "their beginning: record 2 comes where the first one should"


def test_a_record_that_comes_twice_or_too_late_is_named():
    again = "record 3: record {} comes where 4 should: once more, or too late"
    assert broken([*FIVE[:3], FIVE[2]]) == again.format(3)
    assert broken([*FIVE[:3], FIVE[1]]) == again.format(2)
    assert broken([*FIVE[:3], FIVE[0]]) == again.format(1)


def test_a_record_that_was_replaced_by_another_signed_one_is_found_by_the_next():
    place = Place(chain=CHAIN, sequence=1, previous=None, start=Start.FIRST)
    other, _ = sign(replace(RECORD, outcome=Outcome.FAILED).to_json(), place, ALICE)

    assert broken([other, *FIVE[1:]]) == "record 1: record 2 follows another record 1"


@settings(deadline=None)
@given(st.integers(0, len(FIVE[1]) - 1), st.integers(1, 255))
def test_no_byte_of_an_envelope_can_be_changed(place, flipped):
    wrong = bytearray(FIVE[1])
    wrong[place] ^= flipped

    assert broken([FIVE[0], bytes(wrong), *FIVE[2:]]).startswith("record 1: ")


def test_what_another_emitter_signed_is_named():
    told = broken([FIVE[0], *chain_of(2, key=NEW_ALICE)[1:]])
    assert told == f"record 1: another emitter signed it than {ALICE.emitter.id}"
    # The hint says alice, the signature does not.
    stolen = json.loads(chain_of(1, key=MALLORY)[0])
    stolen["signatures"][0]["keyid"] = ALICE.emitter.id
    told = broken([canonical(stolen)])
    assert told == f"their beginning: its signature is not that of {ALICE.emitter.id}"
    told = broken([changed(emitter=MALLORY.emitter.id)])
    assert told.endswith(f"says that another emitter signed it than {ALICE.emitter.id}")
    assert broken([changed(customer="bob")]).endswith("it is of another customer than alice")


def test_a_public_key_that_is_none_has_signed_nothing():
    assert not Emitter(name="alice", public_key=b"short").has_signed(b"", bytes(64))


def test_after_a_lost_journal_a_new_chain_goes_on_and_says_so():
    new = chain_of(2, name=OTHER_CHAIN, start=Start.JOURNAL_LOST)

    found = [*follow(FIVE + new, ALICE.emitter)]

    assert [record.place.start for record in found if record.place.start] == [
        Start.FIRST,
        Start.JOURNAL_LOST,
    ]
    assert broken(FIVE + new[1:]).startswith("record 5: record 2 belongs to another chain, bbb")


@pytest.mark.parametrize("start", [Start.FIRST, Start.KEY_LOST])
def test_a_chain_that_denies_the_one_before_it_is_broken(start):
    new = chain_of(1, name=OTHER_CHAIN, start=start)

    assert broken(FIVE + new).startswith("record 5: a chain begins that says there was no other ")


def test_a_chain_may_begin_with_a_new_key():
    assert len([*follow(chain_of(2, start=Start.KEY_LOST), ALICE.emitter)]) == 2


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("version", [0, 2, True, "1", None]),
        ("chain", ["A" * 32, "a" * 31, None, 1, "a" * 32 + "\n"]),
        ("sequence", [0, -1, True, "1", None, [1]]),
        ("previous", ["x", 1, "F" * 64]),
        ("start", ["second", 1, [], {}]),
        ("run", ["", "a b", "x" * 101, 1, None, "\x1b[2J"]),
        ("customer", ["", "Alice", "../alice", None, 1]),
        ("resource", ["", "w/w", None, ["www"]]),
        ("slot", [-1, "1", 2**53 - 1, True, 253_402_300_800]),
        ("started_at", [None, -1, "1"]),
        ("ended_at", ["1", -1, False]),
        ("pid", [None, -1, "1", True]),
        ("outcome", [None, "stored", 1, ["succeeded"], {}]),
        ("exit_code", [None, "0", False]),
        ("message", [1, ["x"], {}]),
        ("snapshot", ["x", 1, "g" * 64]),
        ("counts", [{}, [], 1, {"files_total": 1}]),
        ("issues", [None, {}, [{}], [{"kind": 1, "path": "", "message": ""}], ["x"]]),
    ],
)
def test_a_signed_field_that_holds_what_it_cannot_hold_is_named(field, values):
    for value in values:
        told = broken([changed(**{field: value})])
        assert told == f"their beginning: its field {field} holds what it cannot hold", value


def test_further_signed_fields_and_too_many_issues_are_refused():
    issue = {"kind": "x", "path": "", "message": ""}
    counts = dict.fromkeys(Counts.__slots__, 1)

    assert broken([changed(more=1)]).endswith("its fields are not those of a record")
    for fields in (
        {"issues": [issue] * 11},
        {"issues": [{**issue, "more": ""}]},
        {"counts": {**counts, "more": 1}},
        {"counts": {**counts, "issues": True}},
    ):
        assert broken([changed(**fields)]).endswith(" holds what it cannot hold")


@pytest.mark.parametrize(
    "fields",
    [
        {"start": None},
        {"previous": "f" * 64},
        {"sequence": 2},
        {"sequence": 2, "previous": "f" * 64},
        {"sequence": 2, "start": None},
    ],
)
def test_a_first_record_alone_tells_a_start_and_every_other_the_one_before(fields):
    told = broken([changed(**fields)])

    assert "the first record of a chain, and no other" in told or "names the one before it" in told


@pytest.mark.parametrize(
    ("envelope", "why"),
    [
        (b"", "it is no canonical JSON"),
        (b"\xff", "it is no canonical JSON"),
        (b"[" * 9000, "it is no canonical JSON"),
        (b"9" * 9000, "it is no canonical JSON"),
        (b"[]", "it is no object in canonical JSON"),
        (b'{"a":1,"a":1}', "it is no object in canonical JSON"),
        (b'{"a": 1}', "it is no object in canonical JSON"),
        (b'{"a":1.5}', "it is no canonical JSON"),
        (b'{"a":1e5}', "it is no canonical JSON"),
        (b'{"a":NaN}', "it is no canonical JSON"),
        (b'{"a":9007199254740993}', "it is no canonical JSON"),
        (b'{"a":"\\ud800"}', "it is no canonical JSON"),
        (b"{}", "it is no envelope"),
        (bytes(LARGEST_ENVELOPE_BYTES + 1), "it is larger than 16,384 bytes"),
        (rewrapped(more=1), "it is no envelope"),
        (rewrapped(payloadType="text/plain"), f"its type is not {PAYLOAD_TYPE}"),
        (rewrapped(payloadType=1), f"its type is not {PAYLOAD_TYPE}"),
        (rewrapped(signatures=[]), "it has not one signature"),
        (rewrapped(signatures={}), "it has not one signature"),
        (rewrapped(signatures=[1]), "it has not one signature"),
        (rewrapped(signatures=[{"keyid": "x"}]), "it has not one signature"),
        (rewrapped(signatures=[{"keyid": 1, "sig": ""}]), "it has not one signature"),
        (rewrapped(signatures=[{"keyid": "", "sig": "", "z": 1}]), "it has not one signature"),
        (rewrapped(signatures=[{"keyid": "", "sig": "!"}]), "its base64 is broken"),
        (rewrapped(signatures=[{"keyid": "", "sig": "AB=="}]), "its base64 has another form"),
        (rewrapped(payload=1), "it is no envelope"),
        (rewrapped(payload="ä"), "its base64 is broken"),
        (FIVE[0] + b"\n", "it is no object in canonical JSON"),
    ],
)
def test_what_is_no_envelope_is_one_sentence(envelope, why):
    assert broken([envelope]) == f"their beginning: {why}"


def test_a_second_signature_is_refused():
    signatures = json.loads(FIVE[0])["signatures"]

    assert broken([rewrapped(signatures=signatures * 2)]).endswith("it has not one signature")


@pytest.mark.parametrize("payload", [b"[]", b"{ }", b"\x00", b"9" * 10_001, b'{"a":1.0}'])
def test_a_signed_payload_that_is_no_object_is_refused(payload):
    assert broken([seal(PAYLOAD_TYPE, payload, ALICE)]).startswith("their beginning: it is ")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_comes_is_an_error_of_ours(content):
    assert broken([content])
    assert broken([seal(PAYLOAD_TYPE, content, ALICE)])


def test_a_signature_for_another_type_is_none_for_ours():
    payload = unseal(FIVE[0], PAYLOAD_TYPE, ALICE.emitter)
    other = json.loads(seal("application/vnd.other+json", payload, ALICE))

    told = broken([canonical({**other, "payloadType": PAYLOAD_TYPE})])

    assert told.endswith(f"its signature is not that of {ALICE.emitter.id}")


def test_the_examples_of_the_specification_of_dsse_are_encoded_as_it_says():
    encoded = signed_bytes("http://example.com/HelloWorld", b"hello world")

    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert signed_bytes("ü", b"") == b"DSSEv1 2 \xc3\xbc 0 "


def test_the_largest_record_fits_into_payload_and_envelope():
    place = Place(chain=CHAIN, sequence=2**53 - 1, previous="f" * 64, start=None)
    key = EmitterKey.generate("a" * 20)

    envelope, digest = sign(LARGEST.to_json(), place, key)

    found = SignedRecord.open(envelope, key.emitter)
    payload = base64.b64decode(json.loads(envelope)["payload"])
    assert (found.digest, found.record) == (digest, LARGEST.to_json())
    assert len(LARGEST.to_json()) < len(payload) <= LARGEST_PAYLOAD_BYTES
    assert len(envelope) <= LARGEST_ENVELOPE_BYTES


def test_a_key_is_written_and_read_as_text_and_hidden_from_logs():
    text = ALICE.to_text()

    again = EmitterKey.from_text("alice", text)

    assert again.emitter == ALICE.emitter
    assert again.sign(b"x") == ALICE.sign(b"x")
    assert EmitterKey.from_text("alice", text.strip()).emitter == ALICE.emitter
    assert text.strip() not in repr(ALICE)


@pytest.mark.parametrize("text", ["", "\0" * 64, "0" * 63, "0" * 65, "F" * 64, f"{'0' * 64}\n\n"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="does not hold 64 hexadecimal digits"):
        EmitterKey.from_text("alice", text)
