"""Who signs records: a name and a key of its own, one for each customer."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_LABEL = b"unstoppable/emitter/v1\0"
_FILE = re.compile(r"([0-9a-f]{64})\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitter:
    """Who signs records, as everybody may know it."""

    name: str
    """The customer's birth name."""
    public_key: bytes
    """Ed25519, 32 bytes."""

    @property
    def id(self) -> str:
        """Its name and the fingerprint of its key, such as `acme:3f9a…`."""
        return f"{self.name}:{hashlib.sha256(_LABEL + self.public_key).hexdigest()}"

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is this emitter's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class EmitterKey:
    """The secret half."""

    emitter: Emitter
    _private: Ed25519PrivateKey

    @classmethod
    def generate(cls, name: str) -> Self:
        """Return a fresh key."""
        return cls._of(name, Ed25519PrivateKey.generate())

    @classmethod
    def from_text(cls, name: str, text: str) -> Self:
        """Return the key that a file holds; raises ValueError if it holds anything else."""
        found = _FILE.fullmatch(text)
        if found is None:
            raise ValueError("it does not hold 64 hexadecimal digits and nothing else")
        return cls._of(name, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(found[1])))

    @classmethod
    def _of(cls, name: str, private: Ed25519PrivateKey) -> Self:
        public = private.public_key().public_bytes_raw()
        return cls(Emitter(name=name, public_key=public), private)

    def to_text(self) -> str:
        """Return the key as its file holds it."""
        return f"{self._private.private_bytes_raw().hex()}\n"

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self._private.sign(message)
