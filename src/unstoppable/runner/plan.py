"""What a run needs to know, before any secret is read."""

from dataclasses import dataclass
from pathlib import Path

from unstoppable import engine
from unstoppable.domain.errors import KeyInvalid, Refused
from unstoppable.domain.keys import KeyKind, parse_key
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins
from unstoppable.domain.s3 import S3Cold
from unstoppable.domain.secret import Secret

FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Where the key comes from, and which of the two it is."""

    name: str
    """The setting, for sentences."""
    kind: KeyKind
    secret: Secret

    def of_repository(self, places: engine.Places) -> bytes:
        """Return the key of a repository; raises KeyInvalid or SecretUnreadable."""
        key = parse_key(self.secret.resolve(), self.kind, name=self.name)
        if self.kind is KeyKind.REPOSITORY:
            return key
        try:
            return engine.derive_key(key, places)
        except Refused as error:
            reason, digits = error.facts["cause"], self.kind.value * 2
            raise KeyInvalid(name=self.name, reason=reason, digits=digits) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A resource's repository on this machine and what opens it."""

    resource: ResourceName
    hot: Path
    cold: Path | S3Cold
    state: Path
    pins_file: Path
    key: Key

    def places(self, pins: Pins | None, *, uses_hot: bool = True) -> engine.Places:
        """Return where the repository lies; without pins it is that of the first generation."""
        generation = FIRST_GENERATION if pins is None else pins.generation
        return engine.Places(
            resource=self.resource,
            generation=generation,
            cold=self._cold(f"g{generation}"),
            hot=self.hot_of(generation) if uses_hot else None,
        )

    def hot_of(self, generation: int) -> Path:
        """Return the folder of the cache."""
        return self.hot / self.resource.customer / self.resource.resource / f"g{generation}"

    def _cold(self, generation: str) -> Path | S3Cold:
        customer, resource = self.resource.customer, self.resource.resource
        if isinstance(self.cold, Path):
            return self.cold / customer / resource / generation
        # The bucket is the customer's own.
        return self.cold.below(resource, generation)
