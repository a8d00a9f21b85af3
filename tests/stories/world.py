"""A machine of its own for each story, on which the installed program is run."""

import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAM = str(Path(sys.executable).parent / "unstoppable")
NOBODY = 65534
DEADLINE_SECONDS = 120


@dataclass
class Machine:
    """Alice's machine: her data, and the places of the program."""

    root: Path
    user: int | None = None
    """None for whoever runs the tests."""
    extra: dict[str, str] = field(default_factory=dict)
    """Settings in the environment beyond those of the places."""
    entered: tuple[str, ...] = ()
    """What runs the program elsewhere, such as nsenter."""

    def __post_init__(self) -> None:
        self.home, self.data = self.root / "home", self.root / "data"
        self.env_file = self.home / "configuration/.env"
        self.pins_file = self.env_file.with_name("pins.json")
        self.hot, self.cold, self.state = (self.root / name for name in ("hot", "cold", "state"))
        self.repository = self.cold / "default/default/g1"
        self.lane = self.hot / "default/lane.lock"
        self.home.mkdir()
        self.data.mkdir()

    def write(self, name: str, content: bytes | str = "alice's\n") -> Path:
        """Write one of alice's files."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def environment(self, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment without any setting of whoever runs the tests."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("UNSTOPPABLE_", "XDG_"))
        }
        places = {
            "HOME": str(self.home),
            "UNSTOPPABLE_ENV_FILE": str(self.env_file),
            "UNSTOPPABLE_HOT": str(self.hot),
            "UNSTOPPABLE_COLD": str(self.cold),
            "UNSTOPPABLE_STATE": str(self.state),
        }
        return {**kept, **places, **self.extra, **(settings or {})}

    def argv(self, *arguments: str) -> tuple[str, ...]:
        if self.user is None:
            return (*self.entered, PROGRAM, *arguments)
        become = ("setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups")
        return (*self.entered, *become, PROGRAM, *arguments)

    def run(
        self, *arguments: str, settings: Mapping[str, str] | None = None, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end, with what is typed into it."""
        return subprocess.run(
            self.argv(*arguments),
            env=self.environment(settings),
            cwd=self.home,
            input=typed,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def start(self, *arguments: str, to_be_killed: bool = False) -> subprocess.Popen[str]:
        """Start the program and leave it running.

        One that will be killed measures no coverage: it would leave half a file of it.
        """
        environment = self.environment()
        if to_be_killed:
            environment = {
                name: value
                for name, value in environment.items()
                if not name.startswith("COVERAGE_")
            }
        return subprocess.Popen(
            self.argv(*arguments),
            env=environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, *arguments: str) -> str:
        """Run the program, which must succeed; returns its stdout."""
        result = self.run(*arguments)
        assert result.returncode == 0, (result.stdout, result.stderr)
        return result.stdout

    def asked(self, *arguments: str) -> Any:
        """Return what the program says as JSON, whatever its exit code."""
        result = self.run(*arguments, "--json")
        try:
            return json.loads(result.stdout)
        except json.JSONDecodeError:
            raise AssertionError((result.stdout, result.stderr)) from None

    def snapshots(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.asked("snapshots")["snapshots"]
        return found

    def last_run(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.asked("runs")
        return found[0]

    def key(self) -> str:
        """Return the key that init made."""
        return self.env_file.read_text().split("UNSTOPPABLE_KEY='")[1][:64]

    def restored(self, *arguments: str) -> Path:
        """Restore into a folder of its own and return that."""
        target = Path(tempfile.mkdtemp(dir=self.root, prefix="back-"))
        self.done("restore", "--exact", "--to", str(target), *arguments)
        return target


def differences(one: Path, other: Path) -> str:
    """Return what rsync would have to do to make `other` exactly like `one`."""
    argv = ("rsync", "-aHAXni", "--numeric-ids", "--checksum", "--delete", f"{one}/", f"{other}/")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stretch(path: Path, *, gibibytes: int) -> Path:
    """Let a file end in so many zeros, which take no room.

    Whoever reads it is at it for a second or more for each GiB: what a story does to a run
    meanwhile does not come too late.
    """
    os.truncate(path, gibibytes << 30)
    return path


def wait_until_reading(running: subprocess.Popen[str], *paths: Path) -> None:
    """Wait until the program has begun to read one of these files."""
    folder = Path(f"/proc/{running.pid}/fd")
    while running.poll() is None:
        for descriptor in folder.iterdir():
            try:
                if descriptor.resolve() in paths:
                    return
            except OSError:
                continue
    raise AssertionError("it ended before it read the file")


def is_untouched(before: dict[str, str], folder: Path) -> bool:
    """Return whether every file that was there is there as it was."""
    return before.items() <= contents(folder).items()


def on_a_terminal(
    machine: Machine, *arguments: str, talks_there: bool = False
) -> tuple[int, bytes]:
    """Run the program on a terminal, its stderr too if it talks there; returns what was shown."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        machine.argv(*arguments),
        env=machine.environment(),
        cwd=machine.home,
        stdout=theirs,
        stderr=theirs if talks_there else subprocess.PIPE,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        os.close(ours)
    running.communicate()
    return running.returncode, shown


@pytest.fixture
def root() -> Iterator[Path]:
    """An empty folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="unstoppable-story-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def alice(root: Path) -> Machine:
    """Alice's machine with two files, nothing set up."""
    machine = Machine(root)
    machine.write("letters/bob.txt", "dear bob\n")
    machine.write("photo.bin", bytes(range(256)) * 400)
    return machine


@pytest.fixture
def well(alice: Machine) -> Machine:
    """Alice's machine, set up and backed up once."""
    alice.done("init", str(alice.data))
    return alice


@pytest.fixture
def nobody(root: Path) -> Machine:
    """A machine of a user without any privilege, set up and backed up once."""
    machine = Machine(root, user=NOBODY)
    machine.write("letters/bob.txt", "dear bob\n")
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    machine.done("init", str(machine.data))
    return machine
