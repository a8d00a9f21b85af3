"""A line to a machine far away: another network namespace, and packets that take their time.

usage: python -m bench.line MILLISECONDS PROGRAM
   Whoever starts it is far; it prints the process in whose network namespace one is near, becomes
   PROGRAM (engine/core/examples/line.rs), and ends with who started it.

From near, the servers of the far one answer at 127.0.0.1 as always, so that their certificates
hold.

Every packet arrives half of MILLISECONDS later, in both directions, on however many connections:
the handshakes of TCP and TLS and its slow start take the round trips that they take.  Bandwidth is
not bounded, beyond what this program can do.
"""

import ctypes
import fcntl
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEVICE = "line"
NEAR, FAR = "10.47.0.1", "10.47.0.2"
MOST_PACKETS_QUEUED = "20000"
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x1, 0x1000


def leave_network() -> None:
    """Go into a network namespace of our own, in which nobody else listens or speaks."""
    _leave()
    _ip("link", "set", "lo", "up")


def _leave() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "a network of one's own needs root")


def _ip(*arguments: str) -> None:
    subprocess.run(("/usr/sbin/ip", *arguments), check=True)


def _end(address: str, peer: str) -> int:
    """Return the end of the line in the network namespace we are in."""
    end = os.open("/dev/net/tun", os.O_RDWR)
    request = struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI)
    fcntl.ioctl(end, _TUNSETIFF, request)
    _ip("address", "add", address, "peer", peer, "dev", DEVICE)
    _ip("link", "set", DEVICE, "up", "txqueuelen", MOST_PACKETS_QUEUED)
    # What comes from 127.0.0.1, or goes there, is thrown away on every other device.
    Path(f"/proc/sys/net/ipv4/conf/{DEVICE}/route_localnet").write_text("1")
    return end


def _ends() -> tuple[int, int]:
    """Return the far and the near end; from then on we are near."""
    far = _end(FAR, NEAR)
    _leave()
    near = _end(NEAR, FAR)
    _ip("route", "add", "127.0.0.1", "dev", DEVICE)
    return far, near


@contextmanager
def line(milliseconds: float, program: str) -> Iterator[tuple[str, ...]]:
    """Yield what to put before a command so that it runs so far away from here."""
    argv = (sys.executable, "-m", "bench.line", str(milliseconds), program)
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as carrying:
        try:
            said = carrying.stdout.readline() if carrying.stdout else b""
            yield ("nsenter", f"--net=/proc/{int(said)}/ns/net")
        finally:
            carrying.kill()


def main() -> None:
    far, near = _ends()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Whoever else works on this machine must not make the line longer.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print(os.getpid(), flush=True)
    os.dup2(far, 0)
    os.dup2(near, 1)
    milliseconds, program = sys.argv[1:]
    os.execv(program, (program, milliseconds))  # noqa: S606 - it is the one that was built for it


if __name__ == "__main__":
    main()
