"""A repository as a released version wrote it, to be read for ever.

usage: python -m tests.stories.golden VERSION

Writes tests/vectors/golden-VERSION.tar.gz with the program that is installed here; once, when
that version is released.  Nothing in the archive is ever changed.
"""

import io
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.stories.world import Machine

VECTORS = Path(__file__).parents[1] / "vectors"
KEPT = ("data", "cold", "state", "home/configuration")


def archive(version: str) -> Path:
    """Return where the archive of a version lies."""
    return VECTORS / f"golden-{version}.tar.gz"


def write(version: str) -> Path:
    """Write the archive: a source, its repository of three runs, journal, settings and pins."""
    folder = Path(tempfile.mkdtemp(prefix="unstoppable-golden-"))
    machine = Machine(folder)
    machine.write("letters/bob.txt", "dear bob\n")
    machine.write("letters/für älle", "grüße\n")
    machine.write("photo.bin", bytes(range(256)) * 400)
    machine.write("empty", b"")
    machine.write(os.fsdecode(b"no utf-8 \xff"), "x")
    (machine.data / "link").symlink_to("letters/bob.txt")
    os.link(machine.data / "photo.bin", machine.data / "other name")
    os.setxattr(machine.data / "letters", "user.color", b"blue")
    machine.done("init", str(machine.data))
    machine.write("letters/bob.txt", "dear bob, again\n")
    machine.done("backup")
    machine.run("backup", settings={"UNSTOPPABLE_SOURCE": "/nowhere"})
    with tarfile.open(archive(version), "x:gz", format=tarfile.PAX_FORMAT) as file:
        for name in KEPT:
            file.add(folder / name, name, filter=_nobodys)
    shutil.rmtree(folder)
    return archive(version)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack(version: str, machine: Machine) -> None:
    """Put what the archive holds onto a machine that has nothing yet."""
    machine.data.rmdir()
    content = io.BytesIO(archive(version).read_bytes())
    with tarfile.open(fileobj=content) as file:
        file.extractall(machine.root, filter="fully_trusted")  # noqa: S202 - it is our own
    # The settings name the folder it was made in.
    machine.extra["UNSTOPPABLE_SOURCE"] = str(machine.data)


if __name__ == "__main__":
    write(sys.argv[1])
