"""A process that starts no other one from now on, which the kernel keeps (seccomp).

Whoever took over a run could leave a process behind that goes on reading and keeps the lane, in a
session of its own, where whoever ends the run does not find it. For the same reason it moves
nobody to another group: its clerk stays where it is found.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """The numbers of a kind of machine."""

    architecture: int
    seccomp: int
    clone: int
    refused: tuple[int, ...]
    """What else makes a process, or another program of this one, or moves it out of its group."""


_MACHINES: Mapping[str, _Machine] = MappingProxyType(
    {
        # fork, vfork, execve, execveat, setpgid, setsid
        "x86_64": _Machine(
            architecture=0xC000003E, seccomp=317, clone=56, refused=(57, 58, 59, 322, 109, 112)
        ),
        # execve, execveat, setpgid, setsid
        "aarch64": _Machine(
            architecture=0xC00000B7, seccomp=277, clone=220, refused=(221, 281, 154, 157)
        ),
    }
)
_CLONE3 = 435
_OTHER_NUMBERS = 0x40000000
"""From here on x86-64 counts its calls once more."""
_OF_THREADS = 0x10000
"""What is told `clone` where it makes a thread."""
_NO_NEW_PRIVILEGES, _SET_FILTER = 38, 1
_AS_FAST_AS_BEFORE = 4
"""Else older kernels slow down whatever is filtered."""
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Where they are in what the filter looks at."""
_LOAD, _EQUAL, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS


def stay_childless() -> bool:
    """Start no other process from now on, only threads; returns whether this kernel keeps that.

    To be called while this process has one thread: the kernel asks each about itself.
    """
    machine = _MACHINES.get(os.uname().machine)
    # Another kind of program that this kernel runs as well has other numbers.
    if machine is None or sys.maxsize < 1 << 32:
        return False
    steps = [struct.pack("HBBI", *step) for step in _steps(machine)]
    program = ctypes.create_string_buffer(b"".join(steps))
    told = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    )
    library = ctypes.CDLL(None)
    if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    flags = (_AS_FAST_AS_BEFORE, 0)  # before Linux 4.17 there is no such flag, and no need
    return any(library.syscall(machine.seccomp, _SET_FILTER, flag, told) == 0 for flag in flags)


def _steps(machine: _Machine) -> list[tuple[int, int, int, int]]:
    """Return a program for the kernel: what to do, how far to jump if so and if not, a number."""
    # What `clone3` is told lies in memory, where no filter looks; without it threads are made by
    # the older call.
    answers = {**dict.fromkeys(machine.refused, _REFUSE), _CLONE3: _UNKNOWN}
    answered = [
        step
        for call, answer in answers.items()
        for step in ((_EQUAL, 0, 1, call), (_RETURN, 0, 0, answer))
    ]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_NUMBERS),
        (_RETURN, 0, 0, _REFUSE),
        *answered,
        (_EQUAL, 1, 0, machine.clone),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_HAS, 0, 1, _OF_THREADS),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
