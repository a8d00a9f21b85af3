"""What somebody does who took over the run of one customer and wants what is another's.

usage: mallory.py free|confined <TARGETS

Gives up what the run does not need, as the run does, then tries everything there is. Reads where
bob's things are as JSON; writes what came of each attempt: `done`, the kernel's error, or that the
clerk refused it.
"""

import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from unstoppable.cli.backup import source_of
from unstoppable.cli.settings import load
from unstoppable.domain.errors import JournalUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import Run, RunRecord
from unstoppable.runner.clerk import beside
from unstoppable.runner.confinement import confine
from unstoppable.runner.journal import Journal
from unstoppable.runner.run import new_run
from unstoppable.runner.run_journal import RunJournal

LIBRARY = ctypes.CDLL(None, use_errno=True)
SECRET = b"bob's"
BIND, PRIVATE, NEW_MOUNTS = 0x1000, 0x44000, 0x20000
SEIZE = 0x4206
CLONE_CALL = {"x86_64": 56, "aarch64": 220}[platform.machine()]
OPEN_TREE, PIDFD_OPEN, PIDFD_GETFD = 428, 434, 438
HERE, CLONE, EXCHANGE = -100, 1, 2
Attempts = dict[str, Callable[[], object]]


def called(result: int) -> int:
    """Return what a call of the library returned; raises its error."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def reads(path: Path | str) -> bool:
    return bool(Path(path).read_bytes())


def lists(path: Path | str) -> bool:
    return any(Path(path).iterdir())


def reading(targets: dict[str, Any], own: Path, source: Path) -> Attempts:
    """Return ways to read one of bob's files."""
    bob = Path(targets["file"])

    def by_an_open_folder() -> bool:
        folder = os.open(own, os.O_RDONLY)
        return SECRET in os.read(os.open("../" * 30 + str(bob), os.O_RDONLY, dir_fd=folder), 99)

    def by_a_path_descriptor() -> bool:
        return reads(f"/proc/self/fd/{os.open(bob, os.O_PATH)}")

    def by_handle() -> bool:
        handle = ctypes.create_string_buffer(b"\x80\0\0\0", 8 + 128)
        mount = ctypes.c_int()
        name = os.fsencode(bob)
        called(LIBRARY.name_to_handle_at(HERE, name, handle, ctypes.byref(mount), 0))
        place = os.open(own, os.O_RDONLY)
        return SECRET in os.read(called(LIBRARY.open_by_handle_at(place, handle, os.O_RDONLY)), 99)

    def by_a_cloned_mount() -> bool:
        name = os.fsencode(bob.parent)
        tree = called(LIBRARY.syscall(OPEN_TREE, HERE, name, CLONE))
        return SECRET in os.read(os.open(bob.name, os.O_RDONLY, dir_fd=tree), 99)

    def by_executing() -> bool:
        argv = ("/bin/cat", str(bob))
        return SECRET in subprocess.run(argv, capture_output=True, check=True).stdout

    return {
        "by ..": lambda: reads(f"{own}/{'../' * 30}{bob}"),
        "by an open folder": by_an_open_folder,
        "by /proc/self/root": lambda: reads(f"/proc/self/root{bob}"),
        "by /proc/self/cwd": lambda: reads(f"/proc/self/cwd/{'../' * 30}{bob}"),
        "by a link in the source": lambda: reads(source / "link"),
        "by a path descriptor": by_a_path_descriptor,
        "by its handle": by_handle,
        "by a cloned mount": by_a_cloned_mount,
        "by executing": by_executing,
        **{f"read {path}": partial(reads, path) for path in targets["read"]},
        **{f"list {path}": partial(lists, path) for path in targets["list"]},
    }


def writes(path: Path) -> bool:
    with path.open("r+b") as file:
        return bool(file.write(b"mallory's"))


def writing(own: Path, source: Path) -> Attempts:
    """Return ways to change what is only read, or nobody's."""

    def settle() -> None:
        Path("/proc/sys/kernel/core_pattern").open("r+b").close()

    return {
        "write into the source": lambda: writes(source / "letter"),
        "link the source out": lambda: os.link(source / "letter", own / "letter"),
        "settle who gets core dumps": settle,
    }


def changing(victims: Path, own: Path) -> Attempts:
    """Return ways to change what is bob's, each with a file of its own."""

    def exchange() -> int:
        places = (victims / "exchange", own / "third")
        names = (part for place in places for part in (HERE, os.fsencode(place)))
        return called(LIBRARY.renameat2(*names, EXCHANGE))

    return {
        "write": lambda: writes(victims / "write"),
        "exchange": exchange,
        "cut short": lambda: os.truncate(victims / "cut short", 0),
        "remove": (victims / "remove").unlink,
        "remove a folder": (victims / "remove a folder").rmdir,
        "make a file": lambda: (victims / "made").write_text("mallory's"),
        "make a folder": (victims / "made folder").mkdir,
        "move out": lambda: (victims / "move out").rename(own / "moved"),
        "move in": lambda: (own / "mine").rename(victims / "move in"),
        "move a folder out": lambda: (victims / "folder").rename(own / "moved folder"),
        "link out": lambda: os.link(victims / "link out", own / "linked"),
        "link in": lambda: os.link(own / "second", victims / "linked in"),
    }


def forging(journal: RunJournal, run: Run, dead: str) -> Attempts:
    """Return ways to have the journal say, or tell, something of bob; he has a run named `dead`."""
    bob = ResourceName(customer="bob", resource="default")
    past = replace(run, id=dead, resource=bob)
    slot_at = datetime.strptime(dead[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)

    def writes_down(run: Run, outcome: Outcome | None = Outcome.SUCCEEDED) -> None:
        code = None if outcome is None else 0
        record = RunRecord(run=run, outcome=outcome, exit_code=code)
        journal.write(record)

    return {
        "ask what runs of him": lambda: journal.going_on("bob"),
        "ask whether he ran": lambda: journal.has_run_for(bob, slot_at, until=slot_at),
        "begin a run of his": lambda: writes_down(replace(run, resource=bob), None),
        "make up a run of his": lambda: writes_down(replace(run, id="made-up", resource=bob)),
        "end a run of his": lambda: writes_down(past),
        "expect mounts of him": lambda: journal.remember_mounts(bob, [b"/mallory"]),
        "ask what he has mounted": lambda: bool(journal.mounts(bob)),
    }


def making(own: Path) -> Attempts:
    """Return what nobody should find in a folder of one's own, or execute from there."""

    def bound() -> None:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(own / "socket"))

    return {
        "make a link": lambda: (own / "link").symlink_to("/etc"),
        "make a pipe": lambda: os.mkfifo(own / "pipe"),
        "make a device": lambda: os.mknod(own / "disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0)),
        "make a socket": bound,
        "execute what it made": lambda: subprocess.run((str(own / "tool"),), check=True),
    }


def leaving() -> Attempts:
    """Return ways to leave somebody behind who goes on when this process has ended."""

    def forks(how: Callable[[], int]) -> None:
        process = how()
        if process == 0:
            os.setsid()
            os._exit(0)
        os.waitpid(called(process), 0)

    return {
        "fork": lambda: forks(os.fork),  # noqa: TID251 - it never calls the engine
        "clone": lambda: forks(lambda: LIBRARY.syscall(CLONE_CALL, signal.SIGCHLD, 0, 0, 0, 0)),
        "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ("true",), {}), 0),
    }


def reaching(targets: dict[str, Any]) -> Attempts:
    """Return ways into bob's process, and to what it listens at."""
    process, address = targets["process"], targets["address"]
    folder = f"/proc/{process}"

    def memory() -> bool:
        with Path(f"{folder}/mem").open("rb", buffering=0) as file:
            file.seek(address)
            return bool(file.read(8))

    def by_a_call() -> bool:
        class Piece(ctypes.Structure):
            _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

        taken = ctypes.create_string_buffer(8)
        here, there = Piece(ctypes.addressof(taken), 8), Piece(address, 8)
        pieces = (ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        return called(LIBRARY.process_vm_readv(process, *pieces)) == 8

    def descriptor() -> bool:
        known = called(LIBRARY.syscall(PIDFD_OPEN, process, 0))
        return SECRET in os.pread(called(LIBRARY.syscall(PIDFD_GETFD, known, 0, 0)), 99, 0)

    def trace() -> bool:
        return called(LIBRARY.ptrace(SEIZE, process, 0, 0)) == 0

    return {
        "its environment": lambda: reads(f"{folder}/environ"),
        "its memory": memory,
        "its memory by a call": by_a_call,
        "its memory's map": lambda: Path(f"{folder}/maps").read_text(),
        "its open file": lambda: reads(f"{folder}/fd/0"),
        "its descriptor": descriptor,
        "its root": lambda: reads(f"{folder}/root{targets['file']}"),
        "its folder": lambda: lists(f"{folder}/cwd"),
        "trace it": trace,
    }


def asking(targets: dict[str, Any]) -> dict[str, tuple[int, Callable[[], object]]]:
    """Return what newer kernels alone stop, and which version of Landlock does."""

    def connected(family: int, place: Any) -> bool:
        with socket.socket(family) as client:
            client.connect(place)
            return True

    def device() -> bool:
        with Path(os.devnull).open("r+b") as null:
            try:
                fcntl.ioctl(null, termios.TIOCGWINSZ)
            except OSError as error:
                if error.errno != errno.ENOTTY:  # that is what the device itself says
                    raise
        return True

    def listened() -> bool:
        with socket.create_server(("127.0.0.1", 0)):
            return True

    def signalled() -> bool:
        os.kill(targets["process"], signal.SIGCONT)
        return True

    return {
        "connect": (4, lambda: connected(socket.AF_INET, ("127.0.0.1", targets["port"]))),
        "listen": (4, listened),
        "use a device": (5, device),
        "signal": (6, signalled),
        "abstract socket": (6, lambda: connected(socket.AF_UNIX, f"\0{targets['abstract']}")),
    }


def beyond(targets: dict[str, Any], victims: Path) -> Attempts:
    """Return what no Landlock of today stops."""
    changed = victims / "change"

    def by_a_socket() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(targets["socket"])
            return True

    def datagram() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            return bool(sender.sendto(b"mallory's", ("127.0.0.1", targets["datagrams"])))

    return {
        "see": lambda: changed.stat().st_size,
        "see where a link leads": (victims / "see a link").readlink,
        "change the mode": lambda: changed.chmod(0o640),
        "change the owner": lambda: os.chown(changed, 1234, 1234),
        "change the times": lambda: os.utime(changed, (1, 1)),
        "change an attribute": lambda: os.setxattr(changed, "user.mallory", b"was here"),
        "speak through a socket": by_a_socket,
        "send a datagram": datagram,
        "change its limits": lambda: resource.prlimit(
            targets["process"], resource.RLIMIT_CORE, (0, 0)
        ),
    }


def moving(targets: dict[str, Any], own: Path) -> Attempts:
    """Return what changes where this process is; nothing else can be tried afterwards."""
    bob = Path(targets["file"])

    def by_joining() -> int:
        known = called(LIBRARY.syscall(PIDFD_OPEN, targets["process"], 0))
        return called(LIBRARY.setns(known, NEW_MOUNTS))

    def by_a_mount() -> bool:
        called(LIBRARY.unshare(NEW_MOUNTS))
        called(LIBRARY.mount(None, b"/", None, PRIVATE, None))
        place = own / "mounted"
        place.mkdir()
        called(LIBRARY.mount(os.fsencode(bob.parent), os.fsencode(place), None, BIND, None))
        return reads(place / bob.name)

    def by_a_root() -> bool:
        os.chroot(bob.parent)
        return reads(f"/{bob.name}")

    return {"join it": by_joining, "by a mount": by_a_mount, "by another root": by_a_root}


def outcomes(attempts: Attempts) -> Iterator[tuple[str, str]]:
    for name, attempt in attempts.items():
        try:
            yield name, "nothing" if attempt() is False else "done"
        except OSError as error:
            yield name, errno.errorcode.get(error.errno or 0, "?")
        except JournalUnusable as error:
            yield name, str(error).partition(": not for this run: ")[1] or "?"


def main() -> None:
    targets = json.load(sys.stdin)
    installation = load(Path(targets["settings"])).installation()
    own, in_state = Path(targets["own"]), Path(targets["own"]) / "state"
    in_state.mkdir(exist_ok=True)
    for name in ("mine", "second", "third"):
        (own / name).touch()
        (in_state / name).touch()
    shutil.copy("/bin/true", own / "tool")
    is_confined = sys.argv[1] == "confined"
    run = new_run(installation.resource)
    with beside(installation.state, run) if is_confined else nullcontext() as clerk:
        try_all(targets, clerk or Journal(installation.state), run, is_confined=is_confined)


def try_all(targets: dict[str, Any], journal: RunJournal, run: Run, *, is_confined: bool) -> None:
    configuration = load(Path(targets["settings"]))
    source = source_of(configuration)
    own, victims = Path(targets["own"]), Path(targets["victims"])
    held = confine(configuration.installation(), source) if is_confined else None
    newer = asking(targets)
    of_state = changing(Path(targets["state victims"]), own / "state")
    attempts = {
        **reading(targets, own, source.folder),
        **writing(own, source.folder),
        **changing(victims, own),
        **{f"{name} in the state": attempt for name, attempt in of_state.items()},
        **forging(journal, run, targets["dead"]),
        **making(own),
        **leaving(),
        **reaching(targets),
        **{name: attempt for name, (_, attempt) in newer.items()},
        **moving(targets, own),
    }
    past = dict(outcomes(beyond(targets, victims)))
    found = {
        "held": held and asdict(held),
        "stopped_by": {name: version for name, (version, _) in newer.items()}
        | {"cut short": 3, "cut short in the state": 3},
        "attempts": dict(outcomes(attempts)),
        "beyond": past,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
