"""Stock rustic and restic read what we wrote, and we read what they wrote.

Run by `./check --full` alone, which names this file: it builds the peers, so that its name is not
that of an ordinary test.  Repositories of version 2 only, on both sides.
"""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import unstoppable_engine as engine

from tests.servers.s3 import OPERATOR, REGION
from tests.stories.world import Machine, differences

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIRTH = engine.Birth("default", "default", 1)
PASSWORD = "of the peers"


class Peer:
    """A peer's program with its repository and secrets in the environment."""

    def __init__(self, path: str, home: Path, **environment: str) -> None:
        self.path = path
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], **environment}

    def done(self, *arguments: str) -> str:
        """Run it, which must succeed; returns its stdout."""
        result = subprocess.run(
            (self.path, *arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, (arguments, result.stdout, result.stderr)
        return result.stdout


@pytest.fixture(scope="module")
def peers() -> dict[str, str]:
    names = ("restic", "rustic")
    paths = subprocess.check_output((ROOT / "bench/peers.sh", *names), text=True).split()
    return dict(zip(names, paths, strict=True))


@pytest.fixture
def awkward(alice: Machine) -> Machine:
    """Alice's data with what programs like to get wrong."""
    noise = alice.write("large.bin", os.urandom(5 << 20))
    alice.write("empty", b"")
    alice.write("grüße/日本.txt", "unicode\n")
    Path(os.fsdecode(os.fsencode(alice.data) + b"/\xff\\x")).write_bytes(b"no utf-8")
    (alice.data / "link").symlink_to("no such file")
    (alice.data / "empty folder").mkdir(mode=0o2750)
    with (alice.data / "sparse").open("wb") as file:
        file.write(b"begin")
        file.truncate(3 << 20)
    os.setxattr(noise, "user.note", b"\x00binary\xff")
    noise.chmod(0o4711)
    os.chown(noise, 1234, 5678)
    for path in (*alice.data.rglob("*"), alice.data):
        os.utime(path, ns=(1_700_000_000_123_456_789, -1_000_000_001), follow_symlinks=False)
    return alice


def below_the_root(one: Path, other: Path) -> list[str]:
    """Return what differs, but for the folder itself: the peers neither store nor set its own."""
    return [line for line in differences(one, other).splitlines() if not line.endswith(" ./")]


def key_of(machine: Machine) -> bytes:
    """Return the key of the machine's repository."""
    return engine.derive_repository_key(bytes.fromhex(machine.key()), BIRTH)


def key_file(machine: Machine) -> Path:
    """Return a file with the key in the form of `cat masterkey`."""
    key = key_of(machine)
    encrypt, k, r = (base64.b64encode(part).decode() for part in (key[:32], key[32:48], key[48:]))
    path = machine.root / "masterkey.json"
    path.write_text(json.dumps({"mac": {"k": k, "r": r}, "encrypt": encrypt}))
    return path


def rustic_on_ours(machine: Machine, peers: dict[str, str], **more: str) -> Peer:
    """Return stock rustic with the machine's repository and its raw key."""
    return Peer(
        peers["rustic"],
        machine.home,
        RUSTIC_REPOSITORY=str(machine.repository),
        RUSTIC_KEY_FILE=str(key_file(machine)),
        RUSTIC_NO_CACHE="true",
        **more,
    )


def key_from(masterkey: str) -> str:
    """Return the hex digits of what `cat masterkey` printed."""
    said = json.loads(masterkey)
    parts = (said["encrypt"], said["mac"]["k"], said["mac"]["r"])
    return b"".join(base64.b64decode(part) for part in parts).hex()


@pytest.mark.parametrize("has_hot", [True, False], ids=["with hot", "cold alone"])
def test_rustic_checks_and_restores_ours_by_the_raw_key(awkward, peers, has_hot):
    awkward.done("init", str(awkward.data))
    hot = {"RUSTIC_REPO_HOT": str(awkward.hot / "default/default/g1")} if has_hot else {}
    rustic = rustic_on_ours(awkward, peers, **hot)

    rustic.done("check", "--read-data")
    target = awkward.root / "back"
    rustic.done("restore", "latest:/default/default", str(target))

    assert below_the_root(awkward.data, target) == []


def test_a_file_is_cut_where_rustic_cuts_it(alice, peers):
    alice.write("large.bin", os.urandom(40 << 20))
    alice.done("init", str(alice.data))
    rustic = rustic_on_ours(alice, peers)

    summary = json.loads(rustic.done("backup", "--json", "--force", str(alice.data)))["summary"]

    # It read all of it anew, and had nothing to add.
    assert summary["total_bytes_processed"] >= 40 << 20
    assert summary["data_blobs"] == 0


def test_restic_checks_and_restores_a_copy_to_which_a_key_was_added(awkward, peers):
    awkward.done("init", str(awkward.data))
    copy = awkward.root / "copy"
    shutil.copytree(awkward.repository, copy)
    rustic = Peer(
        peers["rustic"],
        awkward.home,
        RUSTIC_REPOSITORY=str(copy),
        RUSTIC_KEY_FILE=str(key_file(awkward)),
        RUSTIC_NO_CACHE="true",
    )
    restic = Peer(
        peers["restic"], awkward.home, RESTIC_REPOSITORY=str(copy), RESTIC_PASSWORD=PASSWORD
    )

    rustic.done("key", "add", "--new-password", PASSWORD)
    restic.done("check", "--read-data")
    target = awkward.root / "back"
    restic.done("restore", "latest:/default/default", "--target", str(target))

    assert below_the_root(awkward.data, target) == []


def test_the_peers_read_a_bucket(awkward, peers, s3):
    s3.bucket("acme-backups")
    awkward.extra = {**s3.place("s3://acme-backups/all"), **OPERATOR.settings}
    awkward.done("init", str(awkward.data))
    place = {"BUCKET": "acme-backups", "ROOT": "all/default/g1", "ENDPOINT": s3.endpoint}
    credential = {"ACCESS_KEY_ID": OPERATOR.key_id, "SECRET_ACCESS_KEY": OPERATOR.secret}
    options = {**place, **credential, "REGION": REGION}
    rustic = Peer(
        peers["rustic"],
        awkward.home,
        RUSTIC_REPOSITORY="opendal:s3",
        RUSTIC_KEY_FILE=str(key_file(awkward)),
        RUSTIC_NO_CACHE="true",
        **{f"OPENDAL_{name}": value for name, value in options.items()},
    )
    copy, target, again = (awkward.root / name for name in ("copy", "back", "again"))

    rustic.done("check", "--read-data")
    rustic.done("restore", "latest:/default/default", str(target))
    s3.download("acme-backups", "all/default/g1/", copy)
    in_copy = {"RUSTIC_REPOSITORY": str(copy), "RUSTIC_KEY_FILE": str(key_file(awkward))}
    Peer(peers["rustic"], awkward.home, RUSTIC_NO_CACHE="true", **in_copy).done(
        "key", "add", "--new-password", PASSWORD
    )
    restic = Peer(
        peers["restic"], awkward.home, RESTIC_REPOSITORY=str(copy), RESTIC_PASSWORD=PASSWORD
    )
    restic.done("check", "--read-data")
    restic.done("restore", "latest:/default/default", "--target", str(again))

    assert below_the_root(awkward.data, target) == []
    assert below_the_root(awkward.data, again) == []


@pytest.mark.parametrize("name", ["restic", "rustic"])
def test_we_check_and_restore_what_a_peer_wrote(awkward, peers, name):
    cold, target = awkward.root / "theirs", awkward.root / "back"
    repository = {"REPOSITORY": str(cold), "PASSWORD": PASSWORD}
    programs = {
        name: Peer(
            path, awkward.home, **{f"{name.upper()}_{n}": value for n, value in repository.items()}
        )
        for name, path in peers.items()
    }
    programs[name].done("init")
    programs[name].done("backup", str(awkward.data))
    key = key_from(programs["restic"].done("cat", "masterkey"))

    found = read_foreign(cold, key, target)

    # Ours never hold a key; beside it nothing may be wrong.
    assert [line.split(":")[0].split("/")[0] for line in found] == ["Damaged keys"]
    assert below_the_root(awkward.data, target) == []


def read_foreign(cold: Path, key: str, target: Path) -> list[str]:
    """Check and restore a repository that has no birth certificate; returns the issues."""
    manifest = str(ROOT / "engine/Cargo.toml")
    cargo = ("cargo", "run", "--quiet", "--release", "--locked", "--manifest-path", manifest)
    argv = (*cargo, "--example", "foreign", "--", str(cold), key, str(target))
    return subprocess.check_output(argv, text=True).splitlines()
