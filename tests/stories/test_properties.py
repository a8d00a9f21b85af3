"""Whatever a tree looks like, each of its snapshots comes back exactly as it was."""

import os
import random
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.stories.world import Machine, differences

EXAMPLES = settings().max_examples // 7
"""An example makes a dozen runs of the program: 14 as a rule, three times as many in full."""

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in {b".", b".."} and b"/" not in name and b"\0" not in name
)
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o444, 0o000, 0o4755, 0o2755, 0o1777])
OWNERS = st.sampled_from([0, 1000, 65534])
TIMES = st.integers(min_value=0, max_value=2**33 * 10**9)
KINDS = st.sampled_from(
    ["file", "file", "file", "hole", "folder", "folder", "link", "hard link", "pipe", "socket"]
)
ENTRIES = st.lists(
    st.tuples(KINDS, NAMES, st.integers(0, 2**32), MODES, OWNERS, TIMES), max_size=12
)


def grow(root: Path, entries: list[tuple[str, bytes, int, int, int, int]]) -> None:
    """Add the entries below a folder; one whose name is taken replaces what has it."""
    folders = [os.fsencode(root)]
    grown = []
    for kind, name, seed, mode, owner, time in entries:
        chance = random.Random(seed)  # noqa: S311
        path = os.path.join(chance.choice(folders), name)  # noqa: PTH118 - bytes
        if os.path.lexists(path):
            continue
        MAKERS[kind](path, chance)
        if kind == "folder":
            folders.append(path)
        grown.append((path, mode, owner, time))
    for path, mode, owner, time in reversed(grown):
        dress(path, mode, owner, time)


def dress(path: bytes, mode: int, owner: int, time: int) -> None:
    """Give an entry its owner, mode, attributes and times, folders after what is in them."""
    is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    os.chown(path, owner, owner, follow_symlinks=False)
    if not is_link:
        os.chmod(path, mode)  # noqa: PTH101 - bytes
        set_attribute(path, time)
    os.utime(path, ns=(time, time), follow_symlinks=False)


def set_attribute(path: bytes, number: int) -> None:
    kind = os.lstat(path).st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
        os.setxattr(path, b"user.alice", str(number).encode())


def make_file(path: bytes, chance: random.Random) -> None:
    size = chance.choice([0, 1, 100, 5_000, 700_000])
    with open(path, "wb") as file:  # noqa: PTH123 - bytes
        file.write(chance.randbytes(size))


def make_hole(path: bytes, chance: random.Random) -> None:
    with open(path, "wb") as file:  # noqa: PTH123 - bytes
        file.write(chance.randbytes(10))
        file.seek(chance.randrange(2_000_000))
        file.write(chance.randbytes(10))
        file.truncate(3_000_000)


def make_link(path: bytes, chance: random.Random) -> None:
    os.symlink(chance.choice([b"nowhere", b"/etc/passwd", b".", b"\xff\xfe"]), path)  # noqa: PTH211 - bytes


def make_hard_link(path: bytes, chance: random.Random) -> None:
    """Link a file beside this one a second time, or make one where there is none."""
    folder = os.path.dirname(path)  # noqa: PTH120 - bytes
    files = [e.path for e in os.scandir(folder) if e.is_file(follow_symlinks=False)]
    if files:
        os.link(min(files), path)
    else:
        make_file(path, chance)


def make_socket(path: bytes, _chance: random.Random) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def make_pipe(path: bytes, _chance: random.Random) -> None:
    os.mkfifo(path)


def make_folder(path: bytes, _chance: random.Random) -> None:
    os.mkdir(path)  # noqa: PTH102 - bytes


MAKERS: dict[str, Callable[[bytes, random.Random], None]] = {
    "file": make_file,
    "hole": make_hole,
    "folder": make_folder,
    "link": make_link,
    "hard link": make_hard_link,
    "pipe": make_pipe,
    "socket": make_socket,
}


def is_hollow(folder: Path) -> bool:
    """Return whether some file takes less room than it is long."""
    files = (path.lstat() for path in folder.rglob("*"))
    return any(stat.S_ISREG(f.st_mode) and f.st_blocks * 512 < f.st_size for f in files)


STICKY = [
    ("file", b"before", 0, 0o644, 0, 0),
    ("folder", b"sticky", 0, 0o1777, 0, 0),
    ("file", b"mine", 0, 0o644, 0, 0),
    ("file", b"another's", 0, 0o644, 65534, 0),
]


@given(first=ENTRIES, second=ENTRIES, seed=st.integers(0, 2**32))
@example(first=STICKY, second=[], seed=249999999)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_each_snapshot_of_any_tree_comes_back_exactly(first, second, seed):
    with tempfile.TemporaryDirectory(prefix="unstoppable-tree-") as folder:
        alice = Machine(Path(folder), extra={"UNSTOPPABLE_MAX_SHRINK": "100%"})
        alice.write("always", "there\n")
        grow(alice.data, first)
        alice.done("init", str(alice.data))
        then = alice.root / "then"
        copy(alice.data, then)
        change(alice.data, random.Random(seed))  # noqa: S311
        grow(alice.data, second)
        alice.done("backup")

        older, newer = (snapshot["snapshot"] for snapshot in alice.snapshots())

        assert differences(then, back := alice.restored("--at", older)) == ""
        assert is_hollow(back) >= is_hollow(then)
        assert differences(alice.data, alice.restored("--at", newer)) == ""


def copy(folder: Path, to: Path) -> None:
    """Copy with everything that rsync knows of."""
    subprocess.run(("cp", "-a", str(folder), str(to)), check=True)


def change(folder: Path, chance: random.Random) -> None:
    """Remove some entries and rewrite some files."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name == "always" or chance.random() < 0.5:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_file() and not path.is_symlink() and chance.random() < 0.5:
            rewrite(path, chance.randbytes(1000))
        else:
            path.unlink()


def rewrite(path: Path, content: bytes) -> None:
    """Give a file that is there other content.

    Nothing is created: in a folder like /tmp (sticky, open to all) the kernel refuses even root
    an `O_CREAT` of another's file, see `fs.protected_regular` in proc_sys_fs(5).
    """
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
