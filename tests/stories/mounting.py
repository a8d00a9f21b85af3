"""A machine whose file systems are its own, so that a story may mount what it likes."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import Machine

_COVER = """set -e
mount -t tmpfs -o mode=755 covered /var/lib
if test -e /etc/unstoppable; then mount -t tmpfs -o mode=700 covered /etc/unstoppable; fi
exec "$@"
"""
NOTHING_INSTALLED = (
    *("unshare", "--mount", "--propagation", "private"),
    *("sh", "-c", _COVER, "nothing-installed"),
)
"""What runs a program of root where no installation is.

Root's own settings and state lie at the same place whatever HOME is: without this a story would
find those of whoever runs it, and leave its own there.
"""


class Mounting:
    """Alice's machine in a mount namespace that ends with the story.

    What is mounted there is not seen by the story itself, but below `view`.
    """

    def __init__(self, machine: Machine, process: int) -> None:
        self.machine = machine
        self.view = Path(f"/proc/{process}/root")
        machine.entered = ("nsenter", f"--mount=/proc/{process}/ns/mnt")

    def seen(self, path: Path) -> Path:
        """Return how the story comes to what the machine has at a path."""
        return self.view / path.relative_to("/")

    def do(self, *argv: str | Path) -> None:
        """Run a command of the system there; it must succeed."""
        words = (*self.machine.entered, *map(str, argv))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (argv, done.stderr)

    def disk(self, name: str, *files: str) -> Path:
        """Mount a disk at a folder of alice's data, with files on it; returns the folder."""
        return self.mount(self.machine.data / name, *files)

    def mount(self, folder: Path, *files: str) -> Path:
        """Mount a disk at a folder, with files on it; returns the folder.

        The disk is a folder elsewhere, to be seen there alone.
        """
        disk = tempfile.mkdtemp(dir=self.machine.root, prefix="disk-")
        return self._mount(folder, files, "--bind", disk)

    def memory(self, name: str, *files: str) -> Path:
        """Mount a file system in memory at a folder of alice's data, with files on it."""
        return self._mount(self.machine.data / name, files, "-t", "tmpfs", "alice")

    def _mount(self, folder: Path, files: tuple[str, ...], *what: str) -> Path:
        seen = self.seen(folder)
        seen.mkdir(parents=True, exist_ok=True)
        self.do("mount", *what, folder)
        for name in files:
            file = seen / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{name}\n")
        return folder


@pytest.fixture
def apart(alice: Machine) -> Iterator[Mounting]:
    """Alice's machine, nothing set up, with mounts of its own."""
    argv = ("unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec sleep 1000")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as keeper:
        assert keeper.stdout is not None
        keeper.stdout.readline()
        yield Mounting(alice, keeper.pid)
        keeper.kill()
