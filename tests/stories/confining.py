"""Runs that give up what they do not need, and what the kernel refused them."""

import ctypes
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.stories.world import DEADLINE_SECONDS, Machine

ABI = max(0, ctypes.CDLL(None).syscall(444, None, 0, 1))
"""The version of this kernel's Landlock; 0 where there is none."""
_REFUSED = re.compile(r"^\S+ +(?P<call>\w+)\(.* = -1 (?:EACCES|EPERM) ", re.MULTILINE)


def environment(machine: Machine) -> dict[str, str]:
    """Return an environment in which no coverage is measured: its data lies out of reach."""
    found = machine.environment()
    return {name: value for name, value in found.items() if not name.startswith("COVERAGE_")}


def run(machine: Machine, *argv: str, descriptor: int | None = None) -> str:
    """Run a command to its end, which must be a success that tells nothing; returns its stdout."""
    result = attempt(machine, *argv, descriptor=descriptor)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def attempt(
    machine: Machine, *argv: str, descriptor: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a descriptor passed on."""
    return subprocess.run(
        argv,
        env=environment(machine) if "--confined" in argv else machine.environment(),
        cwd=machine.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        pass_fds=() if descriptor is None else (descriptor,),
        check=False,
    )


def back_up_confined(machine: Machine) -> str:
    """Make a backup that gives up what it does not need; nothing is refused of what it does."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "calls"
        watched = ("strace", "-f", "-qq", "-e", "trace=%file,%network", "-o", str(log))
        stored = run(machine, *watched, *machine.argv("backup", "--confined"))
        assert [line["call"] for line in _REFUSED.finditer(log.read_text())] == []
    return stored


def handing_over(secrets: Mapping[str, str]) -> int:
    """Return the reading end of a closed pipe that brings these."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        json.dump(secrets, file)
    return reading
