"""Reading files that may be anything and lie anywhere: none of them holds anybody up for long."""

import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

FILE_SECONDS = 20.0
"""How long a file may take to be read: the server of its mount may be gone."""
_THREAD_SECONDS = 1.0
_PAUSE_SECONDS = 0.0005
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_Found = TypeVar("_Found")
_hanging: dict[Path, threading.Thread] = {}
"""Who still waits for which file; so that a mount that is gone costs one thread for each file."""


def open_plain(path: Path) -> BinaryIO:
    """Open a file to be read; raises OSError for what is none, without waiting for anybody.

    A pipe would wait for whoever writes into it, and a device may do anything.
    """
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(opened).st_mode
    if not stat.S_ISREG(mode):
        os.close(opened)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    return os.fdopen(opened, "rb")


def bounded(path: Path, read: Callable[[], _Found]) -> _Found:
    """Return what `read` returns of a file, or raise what it raises.

    Raises OSError where that takes longer than `FILE_SECONDS`; the thread that waits is left.
    """
    former = _hanging.get(path)
    if former is not None and former.is_alive():
        raise OSError(errno.ETIMEDOUT, "whoever reads it hangs", str(path))
    answer = _Answer(read)
    answer.start()
    answer.join(FILE_SECONDS)
    if answer.is_alive():
        _hanging[path] = answer
        cause = f"whoever reads it hangs, for {FILE_SECONDS:g} s by now"
        raise OSError(errno.ETIMEDOUT, cause, str(path))
    _hanging.pop(path, None)
    _wait_until_gone(answer)
    return answer.result()


class _Answer(threading.Thread, Generic[_Found]):
    """What a thread found."""

    def __init__(self, read: Callable[[], _Found]) -> None:
        super().__init__(daemon=True)
        self._read = read
        self._found: list[_Found] = []
        self._raised: BaseException | None = None

    def run(self) -> None:
        try:
            self._found.append(self._read())
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            self._raised = error

    def result(self) -> _Found:
        """Return what was found; raises what was raised, of which nothing is kept here."""
        raised, self._raised = self._raised, None
        if raised is not None:
            try:
                raise raised
            finally:
                del raised
        return self._found.pop()


def _wait_until_gone(thread: threading.Thread) -> None:
    """Wait until the kernel knows it no longer: a process with threads cannot confine itself."""
    until = time.monotonic() + _THREAD_SECONDS
    while Path(f"/proc/self/task/{thread.native_id}").exists() and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
