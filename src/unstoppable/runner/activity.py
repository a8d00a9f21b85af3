"""What a process moves: bytes of the source, of its storage and of the network."""

import os
import resource
import socket
import stat
import struct

from unstoppable.domain.progress import Progress

_FIRST = 3
_MOST_DESCRIPTORS = 4096
_TCP_INFO_BYTES = 136
_MOVED = struct.Struct("=120xQQ")
"""Bytes that the other side has confirmed, and that it sent: tcpi_bytes_acked, _received."""


class Activity:
    """What the engine moved so far, by whatever the kernel and the engine itself count.

    The engine counts what it read of the source. While it uploads what waits, reads the cache
    anew or proves what it stored, the kernel alone knows whether anything moves. What this
    program tells its log meanwhile does not count.
    """

    def __init__(self) -> None:
        self._done = (0, 0)
        self._told_blocks = 0

    def note(self, progress: Progress) -> None:
        """Take what the engine counts; to be called by the thread that also tells it."""
        self._done = progress.bytes_done, progress.entries_done
        self._told_blocks = _blocks(resource.RUSAGE_THREAD)

    def moved(self) -> tuple[int, ...]:
        """Return counts of which one is another as soon as anything was moved."""
        blocks = _blocks(resource.RUSAGE_SELF) - self._told_blocks
        return *self._done, blocks, *_tcp_bytes()


def _blocks(who: int) -> int:
    """Return how many blocks were read from disks and mounts, or will be written there."""
    usage = resource.getrusage(who)
    return usage.ru_inblock + usage.ru_oublock


def _tcp_bytes() -> tuple[int, int]:
    """Return what all connections of this process sent and received."""
    sent = received = 0
    for descriptor in range(_FIRST, _MOST_DESCRIPTORS):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            # A name of our own for it: the engine may close its own at any moment.
            own = os.dup(descriptor)
        except OSError:
            continue  # there is none, or it was closed meanwhile
        acknowledged, came = _moved_by(own)
        sent, received = sent + acknowledged, received + came
    return sent, received


def _moved_by(descriptor: int) -> tuple[int, int]:
    """Return what a connection sent and received, and close this name of it."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:  # something else has that name by now
        os.close(descriptor)
        return 0, 0
    with connection:
        try:
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            acknowledged, came = _MOVED.unpack(told)
        except (OSError, struct.error):  # it is none of TCP
            return 0, 0
    return acknowledged, came
