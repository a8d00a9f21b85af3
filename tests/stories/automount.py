"""Mount a folder at another one when somebody first needs it, as systemd or autofs would.

usage: automount.py FOLDER PLACE

Writes a line when it waits. Whoever is of its group of processes needs nothing there.
"""

import ctypes
import fcntl
import os
import struct
import sys

PACKET_BYTES = 304
READY = 0x9360
BIND = 0x1000


def mounted(what: bytes, place: str, kind: bytes | None, how: bytes | None, flags: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(what, os.fsencode(place), kind, flags, how):
        raise OSError(ctypes.get_errno(), "mount")


def main() -> None:
    folder, place = sys.argv[1:]
    os.setpgrp()
    questions, asked = os.pipe()
    how = f"fd={asked},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
    mounted(b"alice", place, b"autofs", how.encode(), 0)
    trigger = os.open(place, os.O_RDONLY)
    print("waits", flush=True)  # noqa: T201 - whoever started it reads that
    packet = os.read(questions, PACKET_BYTES)
    (token,) = struct.unpack_from("I", packet, 8)
    mounted(os.fsencode(folder), place, None, None, BIND)
    fcntl.ioctl(trigger, READY, token)
    print("mounted", flush=True)  # noqa: T201 - whoever started it reads that


if __name__ == "__main__":
    main()
