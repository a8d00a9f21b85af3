"""install.sh as an unprivileged user, from a dist/ of two tiny wheels and without network."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
WRITE_CHECKSUMS = "sha256sum *.whl >SHA256SUMS"
PROGRAM = "import sys\ndef main():\n    print('unstoppable', *sys.argv[1:])\n"


class Machine:
    """A home, a checkout with a release in dist/, and a directory worth keeping."""

    def __init__(self, root: Path) -> None:
        self.home, self.checkout, self.data = root / "home", root / "checkout", root / "my data"
        self.link = self.home / ".local/bin/unstoppable"
        self.apps = self.home / ".local/share/unstoppable/app"
        self.dist = self.checkout / "dist"
        for folder in (self.home, self.checkout, self.data, self.dist):
            folder.mkdir()
        shutil.copy(ROOT / "install.sh", self.checkout)
        shutil.copytree(ROOT / "packaging", self.checkout / "packaging")
        (self.checkout / "packaging/requirements.txt").write_text("")
        wheel(self.dist, "unstoppable_engine", "")
        wheel(self.dist, "unstoppable_backups", PROGRAM)
        self.sign()

    def sign(self) -> None:
        key = self.home / "key"
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        public = key.with_suffix(".pub").read_text()
        (self.checkout / "packaging/release-signers").write_text(f"release {public}")
        self.run("sh", "-c", WRITE_CHECKSUMS, cwd=self.dist)
        namespace = ("-n", "unstoppable-release", "SHA256SUMS")
        self.run("ssh-keygen", "-q", "-Y", "sign", "-f", str(key), *namespace, cwd=self.dist)

    def run(self, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `argv` as nobody, with nothing in the environment but home and PATH."""
        become = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        for path in (self.checkout.parent, *self.checkout.parent.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        return subprocess.run(
            (*become, *argv),
            cwd=cwd or self.checkout,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def install(self) -> subprocess.CompletedProcess[str]:
        return self.run("./install.sh", str(self.data))


def wheel(folder: Path, name: str, source: str) -> None:
    info = f"{name}-0.1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-0.1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n"
        )
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tags)
        if source:
            entry = f"[console_scripts]\nunstoppable = {name}:main\n"
            archive.writestr(f"{info}/entry_points.txt", entry)
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="unstoppable-install-") as folder:
        yield Machine(Path(folder))


def test_a_signed_release_is_installed_and_started(machine):
    result = machine.install()

    assert result.stdout == f"unstoppable init {machine.data}\n", result.stderr
    assert "is not on your PATH" in result.stderr
    assert machine.link.resolve().parents[2] == machine.apps
    assert machine.run(str(machine.link), "status").stdout == "unstoppable status\n"


def test_installing_again_changes_nothing(machine):
    machine.install()
    before = machine.link.resolve()

    result = machine.install()

    assert result.returncode == 0, result.stderr
    assert machine.link.resolve() == before
    assert list(machine.apps.iterdir()) == [before.parents[1]]


def swap_a_wheel(dist: Path) -> None:
    wheel(dist, "unstoppable_backups", PROGRAM.replace("unstoppable", "mallory"))


def swap_a_wheel_and_its_checksum(dist: Path) -> None:
    swap_a_wheel(dist)
    subprocess.run(("sh", "-c", WRITE_CHECKSUMS), cwd=dist, check=True)


def add_a_wheel(dist: Path) -> None:
    wheel(dist, "unstoppable_mallory", "")


def remove_the_signature(dist: Path) -> None:
    (dist / "SHA256SUMS.sig").unlink()


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (swap_a_wheel, "differs from its signed checksum"),
        (swap_a_wheel_and_its_checksum, "not signed by a key in packaging/release-signers"),
        (add_a_wheel, "differs from its signed checksum"),
        (remove_the_signature, "dist/ has no signature"),
    ],
)
def test_mallory_cannot_change_a_release(machine, tamper, sentence):
    tamper(machine.dist)

    result = machine.install()

    assert result.returncode == 1
    assert sentence in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")
    assert not machine.link.exists()
    assert list(machine.apps.iterdir()) == []


def test_a_release_signed_by_nobody_we_know_is_refused(machine):
    shutil.copy(ROOT / "packaging/release-signers", machine.checkout / "packaging")

    result = machine.install()

    assert result.returncode == 1
    assert "not signed by a key" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no directory given"),
        (("--purge",), "unknown option --purge"),
        (("/nowhere",), "/nowhere is not a directory"),
        (("/etc", "/usr"), "one directory, not 2"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_happens(machine, arguments, sentence):
    result = machine.run("./install.sh", *arguments)

    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {sentence}\nhint: ")
    assert not machine.apps.exists()
