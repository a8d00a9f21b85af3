"""Repositories of customers, made as an operator makes them."""

from pathlib import Path

import unstoppable_engine as engine

from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins


def make_repository(
    name: ResourceName, root: bytes, key_file: Path, *, cold: Path, hot: Path
) -> Pins:
    """Make the repository of a resource, write its key, and return its pins."""
    birth = engine.Birth(customer=name.customer, resource=name.resource, generation=1)
    key = engine.derive_repository_key(root, birth)
    key_file.write_text(key.hex())
    key_file.chmod(0o600)
    place = f"{name.customer}/{name.resource}/g1"
    found = engine.create_repository(
        cold=str(cold / place),
        hot=str(hot / place),
        key=key,
        birth=birth,
        created_at_seconds=1_790_000_000,
    )
    return Pins(**{field: getattr(found, field) for field in Pins.__slots__})
