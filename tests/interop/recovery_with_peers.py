"""What docs/recovery.md says of stock rustic and restic; run by `./check --full` alone."""

import base64
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.stories.guide import DOCUMENT, ROOT, follows
from tests.stories.world import differences

DERIVE, RUSTIC = "2.1 Derive the key", "2.2 rustic reads cold as it lies"


def as_hex(masterkey: dict[str, Any]) -> str:
    """Return the digits of a key in the form of `cat masterkey`."""
    parts = (masterkey["encrypt"], masterkey["mac"]["k"], masterkey["mac"]["r"])
    return b"".join(base64.b64decode(part) for part in parts).hex()


@pytest.fixture
def with_peers(lost):
    """Alice's sheet and cold, and the peers' programs on the PATH."""
    names = ("restic", "rustic")
    paths = subprocess.check_output((ROOT / "bench/peers.sh", *names), text=True).split()
    for name, path in zip(names, paths, strict=True):
        (lost.tools / name).symlink_to(path)
    return lost


def beyond_owners(one: Path, other: Path) -> list[str]:
    """Return what differs but for owners, groups and the folder itself."""
    found = [line.split(" ", 1) for line in differences(one, other).splitlines()]
    return [name for what, name in found if what[2:].strip(".og") and name != "./"]


@follows(DERIVE, RUSTIC, "2.3 restic, in a copy, brings owners back")
def test_everything_comes_back_without_us(with_peers, sections):
    with_peers.reader().follow(sections)

    assert beyond_owners(with_peers.newest, with_peers.place("stranger/back")) == []
    exact = differences(with_peers.newest, with_peers.place("back")).splitlines()
    assert [line for line in exact if not line.endswith(" ./")] == []
    assert list((with_peers.machine.repository / "keys").iterdir()) == []


@follows(DERIVE, RUSTIC)
def test_rustic_tells_what_is_damaged(with_peers, sections):
    pack = with_peers.largest_pack()
    changed = bytearray(pack.read_bytes())
    changed[len(changed) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(changed)

    with pytest.raises(AssertionError, match="from_cold check --read-data"):
        with_peers.reader().follow(sections)


def test_the_document_names_the_programs_that_it_was_followed_with():
    script = (ROOT / "bench/peers.sh").read_text()
    versions = dict(re.findall(r"^(restic|rustic)_version=(.*)$", script, re.MULTILINE))

    told = "rustic {rustic} and restic {restic}".format(**versions)
    assert told in DOCUMENT.read_text()


@follows(DERIVE, RUSTIC, "3.2 With rustic")
def test_one_file_comes_back_without_us(with_peers, sections):
    with_peers.reader().follow(sections)

    assert (with_peers.work / "bob.txt").read_text() == "dear bob\n"
