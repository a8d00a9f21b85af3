"""Key derivation and fingerprint in plain Python, as docs/formats.md words them."""

import hashlib
import hmac

_FREE_BITS_OF_R = bytes.fromhex("ffffff0f fcffff0f fcffff0f fcffff0f".replace(" ", ""))


def hkdf_sha256(secret: bytes, info: bytes, length_bytes: int) -> bytes:
    """Return HKDF (RFC 5869) of `secret` without a salt."""
    pseudorandom_key = hmac.digest(bytes(32), secret, "sha256")
    block, output = b"", b""
    for counter in range(1, 256):
        if len(output) >= length_bytes:
            break
        block = hmac.digest(pseudorandom_key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length_bytes]


def repository_key(root_secret: bytes, customer: str, resource: str, generation: int) -> bytes:
    """Return the 64 bytes of a repository key: 32 encrypt, 16 mac k, 16 mac r."""
    info = f"unstoppable/repository/v1/{customer}/{resource}/{generation}"
    return hkdf_sha256(root_secret, info.encode(), 64)


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
