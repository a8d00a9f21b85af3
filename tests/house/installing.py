"""A machine of an unprivileged user to install on: a dist/ of two tiny wheels, no network."""

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
BECOME_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
WRITE_CHECKSUMS = "sha256sum *.whl >SHA256SUMS"
ANY = "py3-none-any"
OURS, OTHERS = (f"cp311-abi3-manylinux_2_28_{kind}" for kind in (os.uname().machine, "sparc64"))
PROGRAM = "import sys\ndef main():\n    print('unstoppable', *sys.argv[1:])\n"


class Machine:
    """A home, a checkout with a release in dist/, and a directory worth keeping."""

    def __init__(self, root: Path) -> None:
        self.home, self.checkout, self.data = root / "home", root / "checkout", root / "my data"
        self.link = self.home / ".local/bin/unstoppable"
        self.path = "/usr/bin:/bin"
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
        key.unlink(missing_ok=True)
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        public = key.with_suffix(".pub").read_text()
        (self.checkout / "packaging/release-signers").write_text(f"release {public}")
        self.run("sh", "-c", WRITE_CHECKSUMS, cwd=self.dist)
        namespace = ("-n", "unstoppable-release", "SHA256SUMS")
        self.run("ssh-keygen", "-q", "-Y", "sign", "-f", str(key), *namespace, cwd=self.dist)

    def start(
        self, *argv: str, cwd: Path | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Start `argv` as nobody, with nothing in the environment but home and PATH."""
        for path in (self.checkout.parent, *self.checkout.parent.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        return subprocess.Popen(
            (*BECOME_NOBODY, *argv),
            cwd=cwd or self.checkout,
            env={"HOME": str(self.home), "PATH": self.path},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *argv: str, cwd: Path | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        running = self.start(*argv, cwd=cwd, stdin=stdin)
        stdout, stderr = running.communicate(timeout=120)
        return subprocess.CompletedProcess(argv, running.returncode, stdout, stderr)

    def install(self, *options: str, source: str = "") -> subprocess.CompletedProcess[str]:
        return self.run("./install.sh", "--yes", *options, source or str(self.data))

    def release(self, version: str, program: str = PROGRAM, engines=(ANY,)) -> None:
        """Put another release into dist/."""
        for path in self.dist.iterdir():
            path.unlink()
        for tag in engines:
            wheel(self.dist, "unstoppable_engine", "", version, tag)
        wheel(self.dist, "unstoppable_backups", program, version)
        self.sign()

    def installed(self) -> list[str]:
        """Return the versions that are there."""
        return sorted(path.name.partition("+")[0] for path in self.apps.glob("*+*"))


def wheel(folder: Path, name: str, source: str, version: str = "0.1.0", tag: str = ANY) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        tags = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        archive.writestr(f"{info}/WHEEL", tags)
        if source:
            entry = f"[console_scripts]\nunstoppable = {name}:main\n"
            archive.writestr(f"{info}/entry_points.txt", entry)
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="unstoppable-install-") as folder:
        yield Machine(Path(folder))
