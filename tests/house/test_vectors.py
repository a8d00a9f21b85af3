"""The bytes of keys and fingerprints are frozen: the document, the engine and these agree."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import unstoppable_engine

from tests.house import derivation

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keys.json").read_text()
)
FROZEN_SHA256 = "31e3fc47b45dc4d4e5294f7ad9d4f9c84fb0f6cee19cc2d616594ba46bcf323e"


def about(vector: dict[str, Any]) -> str:
    return str(vector.get("about") or "{customer}-{resource}-{generation}".format(**vector))


derivations = pytest.mark.parametrize("vector", VECTORS["derivation"], ids=about)
fingerprints = pytest.mark.parametrize("vector", VECTORS["fingerprint"], ids=about)


def test_the_vectors_never_change():
    canonical = json.dumps(VECTORS, sort_keys=True).encode()

    assert hashlib.sha256(canonical).hexdigest() == FROZEN_SHA256


@derivations
def test_plain_python_derives_the_key(vector):
    key = derivation.repository_key(
        bytes.fromhex(vector["root_secret"]),
        vector["customer"],
        vector["resource"],
        vector["generation"],
    )

    assert key.hex() == vector["repository_key"]
    assert derivation.fingerprint(key) == vector["fingerprint"]


@fingerprints
def test_plain_python_names_the_key(vector):
    key = bytes.fromhex(vector["repository_key"])

    assert derivation.fingerprint(key) == vector["fingerprint"]


@derivations
def test_the_engine_derives_the_same_key(vector):
    birth = unstoppable_engine.Birth(vector["customer"], vector["resource"], vector["generation"])

    key = unstoppable_engine.derive_repository_key(bytes.fromhex(vector["root_secret"]), birth)

    assert key.hex() == vector["repository_key"]


@fingerprints
def test_the_engine_gives_the_same_name(vector):
    key = bytes.fromhex(vector["repository_key"])

    assert unstoppable_engine.fingerprint(key) == vector["fingerprint"]


@pytest.mark.parametrize("vector", VECTORS["refused_root_secrets"], ids=about)
def test_the_engine_refuses_a_secret_nobody_generated(vector):
    birth = unstoppable_engine.Birth("acme", "www", 1)

    with pytest.raises(unstoppable_engine.InvalidInput):
        unstoppable_engine.derive_repository_key(bytes.fromhex(vector["root_secret"]), birth)
