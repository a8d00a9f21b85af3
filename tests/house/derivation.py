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


def fingerprint(key: bytes) -> str:
    """Return the 64 hex digits that name a repository key; mac r counts as clamped."""
    clamped_r = bytes(byte & free for byte, free in zip(key[48:], _FREE_BITS_OF_R, strict=True))
    return hashlib.sha256(b"unstoppable/key/v1\0" + key[:48] + clamped_r).hexdigest()
