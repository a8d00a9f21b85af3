"""Fingerprints and birth certificates in plain Python, as docs/formats.md words them.

How a key is derived stands in docs/recovery.md, whose words are run by a test.
"""

import hashlib
import hmac

_FREE_BITS_OF_R = bytes.fromhex("ffffff0f fcffff0f fcffff0f fcffff0f".replace(" ", ""))


def clamped(key: bytes) -> bytes:
    """Return a repository key without the bits of mac r that have no effect."""
    r = bytes(byte & free for byte, free in zip(key[48:], _FREE_BITS_OF_R, strict=True))
    return key[:48] + r


def fingerprint(key: bytes) -> str:
    """Return the 64 hex digits that name a repository key; mac r counts as clamped."""
    return hashlib.sha256(b"unstoppable/key/v1\0" + clamped(key)).hexdigest()


def is_authentic(certificate: bytes, key: bytes) -> bool:
    """Return whether the bytes of an `unstoppable.json` are those that were written with `key`."""
    signed, _, rest = certificate.rpartition(b',"mac":"')
    mac = hmac.digest(clamped(key), b"unstoppable/birth/v1\0" + signed, "sha256").hex()
    return rest == mac.encode() + b'"}'
