"""Two customers of one machine: whoever took over the run of one has nothing of the other's."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.servers.s3 import free_port
from tests.stories.confining import ABI, back_up_confined, environment
from tests.stories.world import Machine, contents
from unstoppable.domain.names import ResourceName
from unstoppable.domain.run import Run, RunRecord
from unstoppable.runner.journal import Journal

HERE = Path(__file__).parent
MALLORY, OLDER_LANDLOCK = HERE / "mallory.py", HERE / "older_landlock.py"
FILES = (
    *("write", "cut short", "remove", "move out", "move in", "link out", "exchange"),
    "change",
    "folder/letter",
)
REFUSED = {"EACCES", "EPERM", "EXDEV", ": not for this run: "}
FORGED = {
    *("ask what runs of him", "ask whether he ran", "ask what he has mounted"),
    *("begin a run of his", "make up a run of his", "end a run of his", "expect mounts of him"),
}
STARTING = {"fork", "clone", "spawn", "by executing", "execute what it made"}
DEAD = "20261124-083000-012345-3f9a2b1c"


def customer(root: Path, name: str) -> Machine:
    """Set up a customer whose hot, cold and state lie beside those of others."""
    place = root / name
    place.mkdir()
    machine = Machine(place)
    machine.hot, machine.cold, machine.state = (root / own for own in ("hot", "cold", "state"))
    machine.extra["UNSTOPPABLE_CUSTOMER"] = name
    machine.write("letter", f"{name}'s\n")
    machine.done("init", str(machine.data))
    return machine


@pytest.fixture
def bob(root: Path) -> Machine:
    machine = customer(root, "bob")
    in_state = machine.state / "emitters"
    for victims in (machine.data / "victims", in_state):
        for name in FILES:
            (victims / name).parent.mkdir(parents=True, exist_ok=True)
            (victims / name).write_text("bob's\n")
        (victims / "remove a folder").mkdir()
        (victims / "see a link").symlink_to("somewhere")
    resource = ResourceName(customer="bob", resource="default")
    began = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    run = Run(id=DEAD, resource=resource, slot_at=began, started_at=began, pid=1)
    journal = Journal(machine.state)
    journal.write(RunRecord(run=run))
    journal.remember_mounts(resource, [b"/bob's"])
    for name in ("secrets/password", "secrets/authority.pem"):
        secret = machine.home / name
        secret.parent.mkdir(exist_ok=True)
        secret.write_text("bob's\n")
    return machine


@pytest.fixture
def mallory(root: Path, bob: Machine) -> Machine:
    machine = customer(root, "mallory")
    (machine.data / "link").symlink_to(bob.data / "letter")
    return machine


@contextmanager
def at_work(bob: Machine) -> Iterator[dict[str, Any]]:
    """Have bob's process run; gives where what is his can be found."""
    with ExitStack() as stack:
        abstract = f"bob-{os.getpid()}-{free_port()}"
        sockets = {
            "port": stack.enter_context(socket.create_server(("127.0.0.1", 0))),
            "datagrams": stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        }
        sockets["datagrams"].bind(("127.0.0.1", 0))
        for path in (f"\0{abstract}", str(bob.root / "socket")):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path)
            listener.listen()
        stack.callback((bob.root / "socket").unlink)
        file = stack.enter_context((bob.data / "letter").open())
        running = stack.enter_context(
            subprocess.Popen(("sleep", "1000"), env={"SECRET": "bob's"}, stdin=file, cwd=bob.home)
        )
        stack.callback(running.kill)
        maps = Path(f"/proc/{running.pid}/maps").read_text()
        yield {
            **{name: found.getsockname()[1] for name, found in sockets.items()},
            "abstract": abstract,
            "socket": str(bob.root / "socket"),
            "process": running.pid,
            "address": int(maps.partition("-")[0], 16),
        }


def taken_over(mallory: Machine, bob: Machine, how: str, *elsewhere: str) -> dict[str, Any]:
    """Have mallory try everything from within a run of that kind; returns what came of it."""
    settings, secrets = bob.env_file.parent, bob.home / "secrets"
    hot, cold = (place / "bob/default/g1" for place in (bob.hot, bob.cold))
    state = bob.state
    files = (
        *(state / "journal.sqlite3", state / "recovery-sheets.json"),
        *(state / f"emitters/{name}.key" for name in ("bob", "mallory")),
        *(bob.data / "letter", secrets / "password", secrets / "authority.pem"),
        *(settings / ".env", settings / "pins.json", hot / "config", cold / "config"),
        *(cold / "unstoppable.json", Path("/etc/shadow"), Path("/proc/1/cmdline")),
    )
    folders = (
        *(state, state / "emitters"),
        *(bob.root, bob.data, bob.home, settings, secrets, hot, cold, hot.parent, cold.parent),
        *(bob.hot, bob.hot / "bob", bob.cold, bob.cold / "bob", mallory.cold / "mallory"),
        *map(Path, ("/", "/etc", "/root", "/proc", "/dev", "/tmp", "/etc/ssl")),  # noqa: S108
    )
    with at_work(bob) as places:
        told = {
            **places,
            "settings": str(mallory.env_file),
            "own": str(mallory.hot / "mallory"),
            "file": str(bob.data / "letter"),
            "victims": str(bob.data / "victims"),
            "state victims": str(state / "emitters"),
            "dead": DEAD,
            "read": list(map(str, files)),
            "list": list(map(str, folders)),
        }
        result = subprocess.run(
            (*elsewhere, sys.executable, str(MALLORY), how),
            env=environment(mallory),
            input=json.dumps(told),
            cwd=mallory.home,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr) == (0, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_mallory_has_all_of_bob_where_nothing_confines_her(mallory, bob):
    found = taken_over(mallory, bob, "free")

    outcomes = found["attempts"] | found["beyond"]
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "done"} == {}
    assert len(outcomes) > 95


def test_mallory_has_nothing_of_bob_but_what_an_older_kernel_leaves_her(mallory, bob):
    bobs = (bob.root, bob.state, mallory.data)
    before = {place: contents(place) for place in bobs}

    for version in range(ABI, 1, -1):
        elsewhere = (sys.executable, str(OLDER_LANDLOCK), str(version)) if version < ABI else ()
        found = taken_over(mallory, bob, "confined", *elsewhere)

        attempts, held = found["attempts"], found["held"]
        came_through = {name for name, outcome in attempts.items() if outcome == "done"}
        late = {name for name, since in found["stopped_by"].items() if since > version}
        assert (held["files"], held["abi"], came_through) == (True, version, late)
        assert held["children"]
        assert {attempts[name] for name in attempts.keys() - late} <= REFUSED
        lost = [
            name for place in bobs for name, _ in before[place].items() - contents(place).items()
        ]
        assert {Path(name).name for name in lost} == ({"cut short"} if version < 3 else set())


def test_she_has_all_of_it_where_the_first_landlock_does_not_suffice(mallory, bob):
    found = taken_over(mallory, bob, "confined", sys.executable, str(OLDER_LANDLOCK), "1")

    assert (found["held"]["abi"], found["held"]["files"]) == (0, False)
    refused = {name for name, outcome in found["attempts"].items() if outcome != "done"}
    assert refused == FORGED | STARTING, "neither the clerk of a run nor seccomp rests on Landlock"


def test_this_kernel_can_show_it():
    assert ABI >= 2, "this kernel's Landlock does not suffice: Debian's from 12 on does"


def test_what_no_kernel_stops_is_what_the_document_says(mallory, bob):
    found = taken_over(mallory, bob, "confined")

    assert set(found["beyond"].values()) == {"done"}


def test_neighbours_are_backed_up_beside_each_other(mallory, bob):
    for machine in (bob, mallory):
        assert back_up_confined(machine).startswith(f"stored: {machine.data} (")
        machine.done("runs", "--verify")

    assert [run["outcome"] for run in bob.asked("runs")] == ["succeeded", "failed", "succeeded"]
    assert [run["outcome"] for run in mallory.asked("runs")] == ["succeeded", "succeeded"]
