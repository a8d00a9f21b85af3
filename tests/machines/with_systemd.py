"""On a machine that systemd booted: its timer and a real cron make backups when they are due.

`./check --full` runs this; it needs root, systemd and cron.
"""

import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.stories.world import PROGRAM

Found = TypeVar("Found")
BOOT = Path(__file__).with_name("boot")
NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup")
BOOT_SECONDS = 60
MINUTE_SECONDS = 75
"""A minute begins within it, and a small backup ends."""


class Booted:
    """A copy of this machine under systemd, with two people on it: root and alice."""

    def __init__(self, folder: Path) -> None:
        argv = ("unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation", "private")
        self.starter = subprocess.Popen(
            (*argv, BOOT, folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self.pid = wait_for(self._init, BOOT_SECONDS)
        wait_for(lambda: self.run("systemctl", "is-system-running").stdout, BOOT_SECONDS)
        self.done("useradd", "--create-home", "alice")
        # The interpreter may lie in a home that is closed to her.
        closed = map(str, Path(sys.executable).resolve().parents)
        self.done("chmod", "a+x", *closed)

    def _init(self) -> int | None:
        children = Path(f"/proc/{self.starter.pid}/task/{self.starter.pid}/children")
        found = [int(pid) for pid in children.read_text().split()]
        names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in found}
        return next((pid for pid, name in names.items() if name == "systemd"), None)

    def run(self, *argv: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        home = "/root" if user == "root" else f"/home/{user}"
        clean = ("env", "-i", f"HOME={home}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        become = () if user == "root" else ("runuser", "-u", user, "--")
        enter = ("nsenter", f"--target={self.pid}", "--all", "--wdns=/")
        return subprocess.run(
            (*enter, *clean, *become, *argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def done(self, *argv: str, user: str = "root") -> str:
        result = self.run(*argv, user=user)
        assert result.returncode == 0, (result.stdout, result.stderr)
        return result.stdout

    def runs(self, user: str) -> list[dict[str, Any]]:
        """Return the runs that a slot was served by and that ended, newest first."""
        found: list[dict[str, Any]] = json.loads(self.done(PROGRAM, "runs", "--json", user=user))
        return [run for run in found if run["slot"] is not None and run["outcome"] is not None]

    def called_by(self, user: str) -> list[str]:
        found: dict[str, list[str]] = json.loads(
            self.done(PROGRAM, "schedule", "show", "--json", user=user)
        )
        return found["called_by"]

    def set_up(self, user: str) -> None:
        """Make a first backup, then have one due each minute."""
        home = "/root" if user == "root" else f"/home/{user}"
        folder = "/etc" if user == "root" else f"{home}/.config"
        self.done("mkdir", f"{home}/data", user=user)
        self.done("sh", "-c", f"echo dear bob >{home}/data/letter", user=user)
        self.done(PROGRAM, "init", f"{home}/data", user=user)
        every_minute = "UNSTOPPABLE_SCHEDULE='* * * * *'"
        self.done("sh", "-c", f'echo "{every_minute}" >>{folder}/unstoppable/.env', user=user)

    def stop(self) -> None:
        self.starter.kill()
        self.starter.wait()


def wait_for(look: Callable[[], Found | None], seconds: float) -> Found:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come to be")


@pytest.fixture(scope="module")
def booted() -> Iterator[Booted]:
    folder = Path(tempfile.mkdtemp(prefix="unstoppable-booted-"))
    machine = Booted(folder)
    yield machine
    machine.stop()
    shutil.rmtree(folder)


CALLERS = {"root": "the systemd timer unstoppable.timer", "alice": "this user's crontab"}


def test_systemd_and_cron_each_make_a_backup_on_the_minute(booted):
    for user in CALLERS:
        booted.set_up(user)
        booted.done(PROGRAM, "schedule", "install", user=user)
    booted.done("rm", "-r", "/var/lib/unstoppable/hot")

    for user, caller in CALLERS.items():
        assert booted.called_by(user) == [caller]
        first = wait_for(functools.partial(booted.runs, user), MINUTE_SECONDS)[-1]
        assert (first["outcome"], first["message"]) == ("succeeded", None)
        assert first["slot"].endswith(":00Z")


def test_the_service_is_confined_and_its_unit_is_in_order(booted):
    assert booted.run("systemd-analyze", "verify", "unstoppable.service").stderr == ""

    exposure = booted.done("systemd-analyze", "security", "unstoppable.service", "--no-pager")

    assert float(exposure.split("exposure level for unstoppable.service: ")[1].split()[0]) < 3.5


def test_installing_again_changes_nothing_and_removing_ends_it(booted):
    for user in CALLERS:
        again = json.loads(booted.done(PROGRAM, "schedule", "install", "--json", user=user))
        assert again["is_changed"] is False
        booted.done(PROGRAM, "schedule", "remove", user=user)
        assert booted.called_by(user) == []
    assert "unstoppable" not in booted.done("systemctl", "list-timers", "--all")
    assert booted.run("crontab", "-l", user="alice").returncode == 1
