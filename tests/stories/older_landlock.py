"""Run a program as on a kernel whose Landlock is of an older version than this one's.

usage: older_landlock.py VERSION PROGRAM ARGUMENT…

A filter of seccomp hands the question which version there is to this process, which answers it;
all other calls are the kernel's. It keeps what a program asks for, and a program asks for what
that version knows.
"""

import ctypes
import fcntl
import os
import platform
import struct
import subprocess
import sys
import threading

SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]
FILTER, NEW_LISTENER, NO_NEW_PRIVILEGES = 1, 8, 38
CREATE_RULESET, VERSION = 444, 1
NUMBER, FLAGS = 0, 32
"""Where a call's number and its third argument are."""
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ASK = 0x7FFF0000, 0x7FC00000
RECEIVE, SEND, QUESTION_BYTES = 0xC0502100, 0xC0182101, 80


def listener() -> int:
    """Have the kernel ask about the version; returns where it does, for this thread alone."""
    steps = (
        (LOAD, 0, 0, NUMBER),
        (EQUAL, 0, 3, CREATE_RULESET),
        (LOAD, 0, 0, FLAGS),
        (EQUAL, 0, 1, VERSION),
        (RETURN, 0, 0, ASK),
        (RETURN, 0, 0, ALLOW),
    )
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(kept))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    found: int = library.syscall(SECCOMP, FILTER, NEW_LISTENER, head)
    if found < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return found


def answer(asked: int, version: int) -> None:
    """Answer each question with this version."""
    while True:
        question = bytearray(QUESTION_BYTES)
        fcntl.ioctl(asked, RECEIVE, question)
        (number,) = struct.unpack_from("Q", question)
        fcntl.ioctl(asked, SEND, struct.pack("QqiI", number, version, 0, 0))


def main() -> int:
    descriptors: list[int] = []
    is_there = threading.Event()

    def wait_and_answer() -> None:
        is_there.wait()
        answer(descriptors[0], int(sys.argv[1]))

    # Its thread was there before the filter, and is not asked.
    threading.Thread(target=wait_and_answer, daemon=True).start()
    descriptors.append(listener())
    is_there.set()
    with subprocess.Popen(sys.argv[2:], close_fds=False) as running:
        return running.wait()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the other thread waits for ever
