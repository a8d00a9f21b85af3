"""The engine in our own values and errors; the only room that knows `unstoppable_engine`."""

from unstoppable_engine import Cancel, claim_name, claimed_snapshot

from unstoppable.engine.confinement import Needs, confine, forbid_dumps
from unstoppable.engine.places import Places, Source, Target, Watch
from unstoppable.engine.repository import (
    Repository,
    Stream,
    create,
    derive_key,
    fingerprint,
    generate_root_secret,
)
from unstoppable.engine.server import ServerEntry, ServerFacts, ServerVisit, seen_pin

__all__ = [
    "Cancel",
    "Needs",
    "Places",
    "Repository",
    "ServerEntry",
    "ServerFacts",
    "ServerVisit",
    "Source",
    "Stream",
    "Target",
    "Watch",
    "claim_name",
    "claimed_snapshot",
    "confine",
    "create",
    "derive_key",
    "fingerprint",
    "forbid_dumps",
    "generate_root_secret",
    "seen_pin",
]
