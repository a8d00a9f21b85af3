"""Signed payloads: DSSE envelopes (https://github.com/secure-systems-lab/dsse, version 1)."""

import base64
import binascii

from unstoppable.domain.canonical import canonical, read_canonical
from unstoppable.domain.emitter import Emitter, EmitterKey

LARGEST_ENVELOPE_BYTES = 16_384
_NAMES = {"payload", "payloadType", "signatures"}


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """Return what a signature is made over: the pre-authentication encoding of DSSE."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, key: EmitterKey) -> bytes:
    """Return the payload in a signed envelope, as canonical JSON."""
    signature = key.sign(signed_bytes(payload_type, payload))
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [
                {"keyid": key.emitter.id, "sig": base64.b64encode(signature).decode()},
            ],
        }
    )


def unseal(envelope: bytes, payload_type: str, emitter: Emitter) -> bytes:
    """Return the payload of an envelope that the emitter signed; raises ValueError.

    Nothing of the payload is read before its signature was verified.
    """
    found = read_canonical(envelope, largest_bytes=LARGEST_ENVELOPE_BYTES)
    if found.keys() != _NAMES:
        raise ValueError("it is no envelope")
    if found["payloadType"] != payload_type:
        cause = f"its type is not {payload_type}"
        raise ValueError(cause)
    signer, signature = _signature(found["signatures"])
    if signer != emitter.id:
        cause = f"another emitter signed it than {emitter.id}"
        raise ValueError(cause)
    payload = _bytes(found["payload"])
    if not emitter.has_signed(signed_bytes(payload_type, payload), signature):
        cause = f"its signature is not that of {emitter.id}"
        raise ValueError(cause)
    return payload


def _signature(found: object) -> tuple[str, bytes]:
    match found:
        case [{"keyid": str() as signer, "sig": str() as signature, **others}] if not others:
            return signer, _bytes(signature)
    raise ValueError("it has not one signature")


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("it is no envelope")  # noqa: TRY004 - a file's content
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("its base64 is broken") from error
    if base64.b64encode(found).decode() != text:
        raise ValueError("its base64 has another form")
    return found
