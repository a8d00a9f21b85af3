"""A Debian 12 without compiler, a release in dist/: the README's line sets it up, and only once.

`./check --full` runs this; it needs root, debootstrap, cargo and PyPI. The release is built from
what is committed and signed by a key made here.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stories.world import differences

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("UNSTOPPABLE_CACHE", Path.home() / ".cache/unstoppable"))
PACKAGES = ("ca-certificates", "cron", "openssh-client", "python3", "python3-venv")
"""What a server has; but for the first, what README.md asks of it."""
NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--cgroup")
CHECKOUT = "/srv/unstoppable-backups"
BUILD_SECONDS = 1500
INSTALL_SECONDS = 300
START_SECONDS = 30
TO_REACH_PYPI = re.compile(r"PIP_(?!FIND_LINKS)|SSL_CERT_|REQUESTS_CA_BUNDLE|(?i:https?_proxy)")


@dataclass(frozen=True)
class Person:
    """Who installs, what is backed up, and where the installer is to put things."""

    home: str
    directory: str
    settings: str
    apps: str
    data: str
    program: str

    @property
    def kept(self) -> tuple[str, str, str]:
        """What an uninstallation leaves."""
        return (self.settings, f"{self.data}/hot", f"{self.data}/cold")


PEOPLE = {
    "root": Person(
        home="/root",
        directory="/usr/share",
        settings="/etc/unstoppable",
        apps="/opt/unstoppable",
        data="/var/lib/unstoppable",
        program="/usr/local/bin/unstoppable",
    ),
    "alice": Person(
        home="/home/alice",
        directory="/home/alice/letters",
        settings="/home/alice/.config/unstoppable",
        apps="/home/alice/.local/share/unstoppable/app",
        data="/home/alice/.local/share/unstoppable",
        program="/home/alice/.local/bin/unstoppable",
    ),
}


class Debian:
    """A copy of the root folder with two people on it: root and alice."""

    def __init__(self, lower: Path, folder: Path) -> None:
        argv = ("unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation", "private")
        hold = Path(__file__).with_name("hold")
        self.holder = subprocess.Popen((*argv, hold, lower, folder), stdin=subprocess.DEVNULL)
        self.outside = folder
        self.pid = self._sleeper()
        self.root = Path(f"/proc/{self.pid}/root")
        self.environment = {
            name: value for name, value in os.environ.items() if TO_REACH_PYPI.match(name)
        }

    def prepare(self, checkout: Path) -> None:
        """Bring the checkout, alice, and what tells this machine how to reach PyPI."""
        for path in (*self.environment.values(), "/etc/pip.conf"):
            if path.startswith("/etc/") and Path(path).is_file():
                shutil.copy(path, self.root / path[1:])
        shutil.copytree(checkout, self.root / CHECKOUT[1:], symlinks=True)
        self.done("useradd", "--create-home", "alice")

    def _sleeper(self) -> int:
        """Return the first process of the copy, once it has become one."""
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for pid in children.read_text().split():
                if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                    return int(pid)
            time.sleep(0.05)
        raise AssertionError("the copy did not come to be")

    def run(self, *argv: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout; what it says and how it fails are in one stream."""
        become = () if user == "root" else ("runuser", "-u", user, "--")
        enter = ("nsenter", f"--target={self.pid}", "--all", f"--wdns={CHECKOUT}")
        home = PEOPLE[user].home
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            (*enter, *become, *argv),
            env={"HOME": home, "PATH": path, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )

    def done(self, *argv: str, user: str = "root") -> str:
        result = self.run(*argv, user=user)
        assert result.returncode == 0, (argv, result.stdout)
        return result.stdout

    def beneath(self, *places: str) -> dict[str, tuple[int, str]]:
        """Return mode and content, or target, of all that lies in these folders."""
        return {
            f"/{path.relative_to(self.root)}": (path.lstat().st_mode, content(path))
            for place in places
            for path in sorted((self.root / place[1:]).rglob("*"))
        }

    def copied(self, place: str) -> Path:
        """Copy a folder out to where rsync can go; it cannot enter by way of /proc."""
        copy = Path(tempfile.mkdtemp(dir=self.outside))
        subprocess.run(("cp", "-a", f"{self.root}{place}/.", copy), check=True)
        return copy

    def stop(self) -> None:
        self.holder.kill()
        self.holder.wait()


def content(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else ""


def mirror() -> str:
    """Return where this machine gets its own Debian."""
    shown = ("apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)")
    for line in subprocess.check_output(shown, text=True).splitlines():
        if line.startswith("Debian Debian "):
            return line.split()[2]
    raise AssertionError("apt knows no mirror of Debian")


@pytest.fixture(scope="module")
def lower() -> Path:
    """The root folder as debootstrap made it, once for all checkouts of this user."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:16]
    place = CACHE / f"debian-12-{key}"
    if not place.exists():
        new = Path(tempfile.mkdtemp(prefix=".debian-12-", dir=CACHE))
        new.chmod(0o755)
        include = f"--include={','.join(PACKAGES)}"
        argv = ("debootstrap", "--variant=minbase", include, "bookworm", new, mirror())
        try:
            subprocess.run(argv, check=True, timeout=BUILD_SECONDS)
            new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return place


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A fresh clone with a release in dist/, signed by a key that this clone alone trusts."""
    with tempfile.TemporaryDirectory(prefix="unstoppable-release-") as folder:
        clone, key = Path(folder, "checkout"), Path(folder, "key")
        subprocess.run(("git", "clone", "--quiet", ROOT, clone), check=True)
        make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        subprocess.run(make, check=True)
        signer = key.with_suffix(".pub").read_text()
        (clone / "packaging/release-signers").write_text(f"release {signer}")
        build = (clone / "packaging/release", "--key", key)
        subprocess.run(build, check=True, timeout=BUILD_SECONDS)
        yield clone


@pytest.fixture
def debian(lower: Path, checkout: Path) -> Iterator[Debian]:
    folder = Path(tempfile.mkdtemp(prefix="unstoppable-debian-"))
    machine = Debian(lower, folder)
    try:
        machine.prepare(checkout)
        yield machine
    finally:
        machine.stop()
        shutil.rmtree(folder)


def transcript() -> dict[str, list[list[str]]]:
    """Return what docs/installation.md shows after each command, each time that it is typed."""
    shown: dict[str, list[list[str]]] = {}
    block = (ROOT / "docs/installation.md").read_text().split("```console\n")[1].split("```")[0]
    for part in block.removeprefix("# ").split("\n# "):
        command, _, said = part.partition("\n")
        shown.setdefault(command, []).append(lasting(said))
    return shown


def lasting(shown: str) -> list[str]:
    """Return the lines without what differs between two machines or two days."""
    return [
        re.sub(r"\b(?=\w*\d)[0-9a-f]{8}\b|\d[\d.,]*|\b[KMGT]iB\b", "#", line)
        for line in shown.splitlines()
        if not line.startswith("read ")
    ]


def the_line(directory: str) -> tuple[str, ...]:
    """Return what the README says to type, for this directory and without a question."""
    found = re.search(
        r"^\$ (\./install\.sh) /usr/share$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert found
    return (found[1], "--yes", directory)


def set_up(debian: Debian, user: str) -> list[str]:
    """Type the README's line three times; returns what each said."""
    person = PEOPLE[user]
    line = the_line(person.directory)
    debian.done("sh", "-c", "mkdir -p ~/letters && echo dear bob >~/letters/bob.txt", user=user)

    said = [debian.done(*line, user=user)]
    before = (debian.beneath(person.apps, *person.kept), debian.done("crontab", "-l", user=user))
    for _ in range(2):
        said.append(debian.done(*line, user=user))
        after = (debian.beneath(person.apps, *person.kept), debian.done("crontab", "-l", user=user))
        assert sorted(after[0]) == sorted(before[0])
        assert after == before
    return said


def test_another_clone_makes_the_same_bytes(checkout, tmp_path):
    subprocess.run(("git", "clone", "--quiet", ROOT, tmp_path / "clone"), check=True)

    build = (tmp_path / "clone/packaging/release", "--unsigned")
    subprocess.run(build, check=True, timeout=BUILD_SECONDS)

    ours, theirs = (folder / "dist/SHA256SUMS" for folder in (checkout, tmp_path / "clone"))
    assert theirs.read_text() == ours.read_text()


def test_there_is_nothing_that_could_compile(debian):
    for tool in ("cargo", "rustc", "cc", "gcc", "clang", "make"):
        assert debian.run("sh", "-c", f"command -v {tool}").returncode != 0


@pytest.mark.parametrize("user", PEOPLE)
def test_one_line_sets_it_up_the_next_change_nothing_and_all_comes_back(debian, user):
    person = PEOPLE[user]
    back = f"{person.home}/back"

    said = set_up(debian, user)
    debian.done(person.program, "restore", "--exact", "--to", back, user=user)
    before = debian.beneath(*person.kept)
    said.append(debian.done("./install.sh", "--yes", "--uninstall", user=user))

    assert differences(debian.copied(person.directory), debian.copied(back)) == ""
    assert debian.beneath(*person.kept) == before
    for place in person.kept:
        assert any(path.startswith(f"{place}/") for path in before), place
    assert debian.beneath(person.apps) == {}
    assert not (debian.root / person.program[1:]).is_symlink()
    assert "unstoppable" not in debian.run("crontab", "-l", user=user).stdout
    if user == "root":
        line = " ".join(the_line(person.directory))
        first, second, third, away = map(lasting, said)
        assert third == second
        assert transcript() == {line: [first, second], "./install.sh --yes --uninstall": [away]}


@pytest.mark.parametrize(
    ("packages", "sentence", "named"),
    [
        (("python3-venv", "python3.11-venv"), "python3 cannot make private", "python3-venv"),
        (("cron",), "nothing here can call the schedule every minute", "cron"),
        (("openssh-client",), "the signature of dist/ cannot be checked", "openssh-client"),
        (("python3", "python3-minimal"), "this needs python3 of version 3.11", "python3"),
    ],
)
def test_a_package_that_is_missing_is_named_and_nothing_is_done(debian, packages, sentence, named):
    debian.done("dpkg", "--purge", "--force-depends", *packages)
    before = debian.beneath("/opt", "/etc", "/usr/local", "/var/lib")

    result = debian.run(*the_line("/usr/share"))

    error, hint = result.stdout.splitlines()
    assert result.returncode == 1
    assert error.startswith(f"error: {sentence}")
    assert hint.startswith(f"hint: apt-get install {named}")
    assert debian.beneath("/opt", "/etc", "/usr/local", "/var/lib") == before
