"""What an older version wrote is read, and goes on, with this one."""

import hashlib

import pytest

from tests.stories.golden import VECTORS, archive, unpack
from tests.stories.world import Machine, contents

FROZEN_SHA256 = {
    "0.1.0": "0c0742e958b2dec2913cb85980489c14e6a3c78aac9bef28a726e13347d82a73",
}
VERSIONS = sorted(FROZEN_SHA256)


@pytest.fixture(params=VERSIONS)
def older(request, root) -> Machine:
    """A machine whose program was upgraded to this version."""
    machine = Machine(root)
    unpack(request.param, machine)
    return machine


def test_no_golden_repository_was_changed_or_forgotten():
    found = {path.name: hashlib.sha256(path.read_bytes()) for path in VECTORS.glob("golden-*")}

    assert {name: digest.hexdigest() for name, digest in found.items()} == {
        archive(version).name: digest for version, digest in FROZEN_SHA256.items()
    }


def test_everything_comes_back(older):
    assert older.run("check", "--read-data", "all").returncode == 0
    assert contents(older.restored()) == contents(older.data)
    first = min(older.snapshots(), key=lambda snapshot: str(snapshot["time"]))
    back = older.restored("--at", first["snapshot"])
    assert (back / "letters/bob.txt").read_text() == "dear bob\n"
    assert (back / "link").readlink().name == "bob.txt"
    assert (back / "photo.bin").samefile(back / "other name")


def test_its_history_and_settings_are_understood(older):
    outcomes = [run["outcome"] for run in older.asked("runs")]

    assert outcomes == ["failed", "succeeded", "succeeded"]
    assert older.asked("status")["last_stored"]["outcome"] == "succeeded"


def test_the_next_backup_builds_on_it(older):
    older.done("backup")

    run = older.last_run()
    counts = run["counts"]
    assert run["outcome"] == "succeeded"
    assert counts["bytes_added"] < 10_000, "nothing of its content is stored a second time"
    assert len(older.snapshots()) == 3
    assert older.run("check", "--read-data", "all").returncode == 0
