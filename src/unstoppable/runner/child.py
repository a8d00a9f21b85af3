"""A run in a process of its own, whose words are told with the name of its resource."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from unstoppable.domain.errors import UnstoppableError, unexpected
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import printable

_SIGNALLED = 128
"""Shells add it to the number of the signal that ended a process."""
_LONGEST_LINE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run."""

    resource: ResourceName
    argv: Sequence[str]
    environment: Mapping[str, str]
    secrets: Callable[[], Mapping[str, str]]
    """Reads the secrets of the run, by their settings' names; may take a while, and may fail."""
    tell: Callable[[str], None]
    """Takes a line of its result."""
    say: Callable[[str], None]
    """Takes a line of everything else."""


class Child:
    """A run that begins as soon as its secrets are there; nobody waits for it.

    Its secrets go through a pipe, so that they stand in no argument, environment or file. A run
    whose secrets cannot be had is told why, and records it.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        self._is_stopped = False
        self._lock = threading.Lock()
        self.last_words = ""
        """The last thing that it complained about."""
        threading.Thread(target=self._run, daemon=True).start()

    def poll(self) -> int | None:
        """Return its exit code once it has ended and everything it said was told."""
        return self._code

    def stop(self) -> None:
        """Have it end soon: it keeps what it has."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now, and everything that it started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            self._is_stopped = True
            process = self._process
        if process is not None and self._code is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    def _run(self) -> None:
        code: int = ExitCode.FAILED
        try:
            code = self._run_to_its_end()
        except Exception as error:  # noqa: BLE001 - the outermost place of a thread
            self._complain(str(unexpected(error)))
        finally:
            self._code = code

    def _run_to_its_end(self) -> int:
        secrets, options = self._secrets()
        taken, given = os.pipe()
        try:
            process = self._start((*self._order.argv, *options), taken)
        except OSError as error:
            os.close(given)
            self._complain(f"it could not be started: {error.strerror}")
            return ExitCode.FAILED
        finally:
            os.close(taken)
        _hand_over(given, secrets if process else {})
        if process is None:
            return ExitCode.CANCELLED
        listener = threading.Thread(target=self._listen, args=(process.stdout, self._order.tell))
        listener.start()
        self._listen(process.stderr, self._hear)
        listener.join()
        code = process.wait()
        return code if code >= 0 else _SIGNALLED - code

    def _secrets(self) -> tuple[Mapping[str, str], list[str]]:
        """Return the secrets of the run, or the option that tells it why it has none."""
        try:
            return self._order.secrets(), []
        except UnstoppableError as error:
            return {}, ["--cannot", str(error)]
        except Exception as error:  # noqa: BLE001 - a run is recorded whatever happens
            return {}, ["--cannot", str(unexpected(error))]

    def _start(self, argv: Sequence[str], taken: int) -> subprocess.Popen[bytes] | None:
        """Start it; nothing where it was stopped before.

        It leads a process group of its own, so that Ctrl-C reaches the parent alone, who tells it.
        """
        with self._lock:
            if self._is_stopped:
                return None
            self._process = subprocess.Popen(
                (*argv, "--secrets-fd", str(taken)),
                env=dict(self._order.environment),
                pass_fds=(taken,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            return self._process

    def _listen(self, pipe: IO[bytes] | None, tell: Callable[[str], None]) -> None:
        if pipe is None:
            return
        with pipe:
            while line := pipe.readline(_LONGEST_LINE_BYTES):
                tell(f"{self._order.resource}: {printable(line.rstrip())}")

    def _hear(self, line: str) -> None:
        _, error, words = line.partition(": error: ")
        if error:
            self.last_words = words
        self._order.say(line)

    def _complain(self, words: str) -> None:
        self._hear(f"{self._order.resource}: error: {words}")


def _hand_over(given: int, secrets: Mapping[str, str]) -> None:
    """Write secrets into a pipe and close it; whoever ended before has no use for them."""
    pipe = os.fdopen(given, "wb")
    try:
        pipe.write(json.dumps(dict(secrets)).encode())
        pipe.flush()
    except BrokenPipeError:
        pass
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
