"""Run a program as on a kernel whose Landlock is missing, or not switched on.

usage: without_landlock.py ENOSYS|EOPNOTSUPP PROGRAM ARGUMENT…

A filter of seccomp answers Landlock's three calls with the error that such a kernel gives.
"""

import ctypes
import errno
import os
import struct
import sys

FIRST, LAST = 444, 446
"""landlock_create_ruleset, landlock_add_rule, landlock_restrict_self: on every machine."""
LOAD, AT_LEAST, RETURN = 0x20, 0x35, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def refuse(error: int) -> None:
    """Have the kernel refuse Landlock from now on."""
    steps = (
        (LOAD, 0, 0, 0),  # the number of the call
        (AT_LEAST, 0, 2, FIRST),
        (AT_LEAST, 1, 0, LAST + 1),
        (RETURN, 0, 0, FAIL | error),
        (RETURN, 0, 0, ALLOW),
    )
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(kept))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.prctl(SECCOMP, FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    refuse(getattr(errno, sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the program of the test
