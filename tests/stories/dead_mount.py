"""A mount whose server is gone: whoever goes there waits for ever, and can only be killed."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLDER = """
import ctypes, os, sys, time
questions, asked = os.pipe()
os.setpgrp()
how = f"fd={asked},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
library = ctypes.CDLL(None, use_errno=True)
place = os.fsencode(sys.argv[1])
if library.mount(b"gone", place, b"autofs", 0, how.encode()):
    raise OSError(ctypes.get_errno(), "mount")
print("gone", flush=True)
time.sleep(600)
"""
_DETACH = 2


@contextmanager
def dead(place: Path) -> Iterator[None]:
    """Have whoever needs what is at `place` wait as long as the context lasts."""
    place.mkdir(parents=True, exist_ok=True)
    holder = subprocess.Popen((sys.executable, "-c", _HOLDER, str(place)), stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"gone\n"
        yield
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(place), _DETACH)
        holder.kill()
        holder.communicate()
