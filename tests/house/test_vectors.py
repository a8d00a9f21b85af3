"""Keys, fingerprints and birth certificates are frozen: document, engine and these agree."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import unstoppable_engine

from tests.house import derivation
from unstoppable.domain import groups

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS: dict[str, Any] = json.loads((FOLDER / "keys.json").read_text())
BIRTHS: dict[str, Any] = json.loads((FOLDER / "birth.json").read_text())
SHEETS: dict[str, Any] = json.loads((FOLDER / "sheet.json").read_text())
FORMATS = Path(__file__).parents[2] / "docs/formats.md"
FROZEN_SHA256 = {
    "keys.json": "31e3fc47b45dc4d4e5294f7ad9d4f9c84fb0f6cee19cc2d616594ba46bcf323e",
    "birth.json": "a69cf440c09bd311ba12bf22d06e4a71816e9e35cdd4650a549df779666a1b2f",
    "sheet.json": "af91ef0b792dcf9f7ebd8a3f594740bb65be062a00911871f2a177cb58ed7772",
    "record.json": "8c72c9df32e79a4c416b83c6d5944bcec3338dd5393517f4b7aa49ba76e0b805",
}


def about(vector: dict[str, Any]) -> str:
    return str(vector.get("about") or "{customer}-{resource}-{generation}".format(**vector))


derivations = pytest.mark.parametrize("vector", VECTORS["derivation"], ids=about)
births = pytest.mark.parametrize("vector", BIRTHS["certificates"], ids=about)
sheets = pytest.mark.parametrize("vector", SHEETS["groups"], ids=lambda found: found["secret"][:8])
fingerprints = pytest.mark.parametrize("vector", VECTORS["fingerprint"], ids=about)


@pytest.mark.parametrize("name", FROZEN_SHA256)
def test_the_vectors_never_change(name):
    vectors = json.loads((FOLDER / name).read_text())
    canonical = json.dumps(vectors, sort_keys=True).encode()

    assert hashlib.sha256(canonical).hexdigest() == FROZEN_SHA256[name]


@births
def test_plain_python_knows_a_birth_certificate_from_a_changed_one(vector):
    certificate = vector["unstoppable_json"].encode()
    key = bytes.fromhex(vector["repository_key"])

    assert derivation.is_authentic(certificate, key)
    for place in range(len(certificate)):
        changed = bytearray(certificate)
        changed[place] ^= 1
        assert not derivation.is_authentic(bytes(changed), key)


def secret_of(groups: list[str]) -> str:
    """Return what the Python of docs/formats.md makes of groups."""
    chapter = FORMATS.read_text().partition("### Groups")[2]
    words = chapter.partition("```python\n")[2].partition("```")[0]
    known: dict[str, Any] = {}
    exec(words, known)  # noqa: S102 - the document's own example
    return str(known["secret_of"](groups))


@sheets
def test_the_python_of_the_document_reads_the_groups_of_a_sheet(vector):
    assert secret_of(vector["groups"]) == vector["secret"]
    for number, group in enumerate(vector["groups"]):
        for place in (0, 3, 5, 8, 11, 12):
            wrong = list(vector["groups"])
            digit = "1" if group[place] == "0" else "0"
            wrong[number] = group[:place] + digit + group[place + 1 :]
            with pytest.raises(ValueError, match=f"group {number + 1} is mistyped"):
                secret_of(wrong)


@sheets
def test_the_program_writes_and_reads_the_same_groups(vector):
    assert list(groups.split(vector["secret"])) == vector["groups"]
    assert groups.join(" ".join(vector["groups"]), len(vector["secret"])) == vector["secret"]


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
