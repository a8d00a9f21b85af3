"""A machine that was backed up twice, and what is left of it when something happens."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.servers.s3 import OPERATOR, REGION, S3Server, allow
from tests.stories.guide import Reader
from tests.stories.world import PROGRAM, Machine

WRAPPER = """#!/bin/sh
# The program of a machine whose /etc and /var lie in the folder of a test.
export UNSTOPPABLE_HOT='{machine.hot}' UNSTOPPABLE_STATE='{machine.state}'
settings='{machine.env_file}'
if [ -e "$settings" ] || [ "$1" = init ]; then set -- --env-file "$settings" "$@"; fi
exec '{program}' "$@"
"""


class Story:
    """Alice's machine with two snapshots, her sheet, and copies of what each snapshot holds."""

    def __init__(self, root: Path, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        names = {"UNSTOPPABLE_CUSTOMER": "alice", "UNSTOPPABLE_RESOURCE": "files"}
        self.machine = machine = Machine(root, extra={**names, **settings})
        self.of_a_bucket = {
            "s3://acme-backups/prod": "",
            "https://s3.example.com": "",
            "eu-central-1": "",
            "recovery-key-id": "",
        }
        """What stands for the names of the bucket, where cold is one."""
        self.typed_first = ""
        machine.repository = machine.cold / "alice/files/g1"
        self.tools, self.work = root / "bin", root / "recovery"
        self.tools.mkdir()
        program = self.tools / "unstoppable"
        program.write_text(WRAPPER.format(machine=machine, program=PROGRAM))
        program.chmod(0o755)
        self._first_version()
        machine.done("init", str(machine.data))
        self.older = self._kept("older")
        self._second_version()
        time.sleep(1)  # others list snapshots of one second in any order
        machine.done("backup")
        self.newest = self._kept("newest")
        self.older_id, self.newest_id = (found["snapshot"] for found in machine.snapshots())
        self.secret = machine.key()
        self.pins = json.loads(machine.pins_file.read_text())["resources"]["alice/files"]

    def _first_version(self) -> None:
        machine = self.machine
        machine.write("letters/bob.txt", "dear bob\n")
        photo = machine.write("photo.bin", os.urandom(300_000))
        machine.write("grüße/empty", b"")
        (machine.data / "grüße/again").hardlink_to(machine.write("grüße/日本.txt", "unicode\n"))
        Path(os.fsdecode(os.fsencode(machine.data) + b"/\xff\\x")).write_bytes(b"no utf-8")
        (machine.data / "link").symlink_to("no such file")
        (machine.data / "empty folder").mkdir(mode=0o2750)
        os.setxattr(photo, "user.note", b"\x00binary\xff")
        for path in (machine.data / "letters", photo):
            os.chown(path, 1234, 5678)
        photo.chmod(0o4711)
        machine.data.chmod(0o750)

    def _second_version(self) -> None:
        self.machine.write("letters/bob.txt", "dear bob, ps\n")
        # No two of its pieces are the older one's: what harms one snapshot leaves the other.
        (self.machine.data / "photo.bin").write_bytes(os.urandom(400_000))
        for path in (*self.machine.data.rglob("*"), self.machine.data):
            os.utime(path, ns=(1_700_000_000_123_456_789, 1_000_000_001), follow_symlinks=False)

    def _kept(self, name: str) -> Path:
        kept = self.machine.root / name
        subprocess.run(("cp", "-a", str(self.machine.data), str(kept)), check=True)
        return kept

    def place(self, name: str) -> Path:
        """Return a folder that the document names below /srv or /mnt."""
        return self.machine.root / name

    def lose_the_machine(self) -> None:
        """Leave nothing but cold."""
        for path in (self.machine.data, self.machine.hot, self.machine.state):
            shutil.rmtree(path)
        shutil.rmtree(self.machine.env_file.parent)

    def largest_pack(self) -> Path:
        """Return the pack with the content of the second version."""
        packs = [path for path in (self.machine.repository / "data").rglob("*") if path.is_file()]
        return max(packs, key=lambda path: path.stat().st_size)

    def reader(self) -> Reader:
        """Return alice with her sheet, on the machine or on a fresh one."""
        machine, pack = self.machine, self.largest_pack().name
        self.work.mkdir(mode=0o700, exist_ok=True)
        kept = {k: v for k, v in machine.environment().items() if not k.startswith("UNSTOPPABLE_")}
        names = {
            "/mnt/cold": str(machine.cold),
            "acme": "alice",
            "www": "files",
            "1f0c9a2b": self.pins["repository_id"][:8],
            "5b03bc47": self.pins["key_fingerprint"][:8],
            "32cae8b5": self.newest_id[:8],
            "77c3c7c6": self.older_id[:8],
            "data/5a/5a5a5a5a": f"data/{pack[:2]}/{pack[:8]}",
            "/srv/www": str(machine.data),
            "/srv/back": str(self.place("back")),
            "/srv/older": str(self.place("older-back")),
            "/srv/stranger": str(self.place("stranger")),
            "/mnt/new": str(self.place("new")),
            "/root/recovery": str(self.work),
            **self.of_a_bucket,
            "/etc/unstoppable": str(machine.env_file.parent),
            "/var/lib/unstoppable": str(machine.root),
            "letters/bob.txt": "letters/bob.txt",
            "photo.bin": "photo.bin",
        }
        environment = {**kept, "PATH": f"{self.tools}:{os.environ['PATH']}"}
        return Reader(self.work, environment, names, typed=f"{self.typed_first}{self.secret}\n")


class BucketStory(Story):
    """The same, whose cold is a part of a bucket; a reader is all that is left to her."""

    def __init__(self, root: Path, server: S3Server) -> None:
        self.server = server
        rescuer = server.user("rescuer")
        server.bucket(
            "alices",
            [
                allow("rescuer", "alices", "s3:ListBucket"),
                allow("rescuer", "alices", "s3:GetObject", "*"),
            ],
        )
        super().__init__(root, {**server.place("s3://alices/kept"), **OPERATOR.settings})
        self.of_a_bucket = {
            "s3://acme-backups/prod": "s3://alices/kept",
            "https://s3.example.com": server.endpoint,
            "eu-central-1": REGION,
            "recovery-key-id": rescuer.key_id,
        }
        self.typed_first = f"{rescuer.secret}\n"

    def largest_pack(self) -> Path:
        """Return the name of the pack with the content of the second version."""
        listed = self.server.client().list_objects_v2(Bucket="alices")["Contents"]
        packs = [found for found in listed if "/data/" in found["Key"]]
        return Path(max(packs, key=lambda found: found["Size"])["Key"])


@pytest.fixture
def lost_but_for_a_bucket(root: Path, s3: S3Server) -> Story:
    """What is left when alice's machine is gone: a bucket and her sheet."""
    story = BucketStory(root, s3)
    story.lose_the_machine()
    return story


@pytest.fixture
def story(root: Path) -> Story:
    """Alice's machine, backed up twice, with everything there."""
    return Story(root)


@pytest.fixture
def lost(story: Story) -> Story:
    """What is left when alice's machine is gone: cold and her sheet."""
    story.lose_the_machine()
    return story
