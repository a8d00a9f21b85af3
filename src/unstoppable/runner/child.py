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

from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode

_SIGNALLED = 128
"""Shells add it to the number of the signal that ended a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run."""

    resource: ResourceName
    argv: Sequence[str]
    secrets: Callable[[], Mapping[str, str]]
    """Reads the secrets of the run, by their settings' names; may take a while, and may fail."""
    say: Callable[[str], None]


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
            if self._process is not None and self._process.poll() is None:
                os.killpg(self._process.pid, number)

    def _run(self) -> None:
        order, options, secrets = self._order, [], {}
        try:
            secrets = dict(order.secrets())
        except UnstoppableError as error:
            options = ["--cannot", str(error)]
        try:
            process = self._start((*order.argv, *options), secrets)
        except OSError as error:
            order.say(f"{order.resource}: error: it could not be started: {error.strerror}")
            self._code = ExitCode.FAILED
            return
        if process is None:
            self._code = ExitCode.CANCELLED
            return
        if process.stdout is not None:
            _listen(process.stdout, order)
        code = process.wait()
        self._code = code if code >= 0 else _SIGNALLED - code

    def _start(
        self, argv: Sequence[str], secrets: Mapping[str, str]
    ) -> subprocess.Popen[bytes] | None:
        """Start it, and hand the secrets over; nothing where it was stopped before.

        It leads a process group of its own, so that Ctrl-C reaches the parent alone, who tells it.
        """
        taken, given = os.pipe()
        with os.fdopen(given, "wb") as pipe, self._lock:
            try:
                if self._is_stopped:
                    return None
                self._process = subprocess.Popen(
                    (*argv, "--secrets-fd", str(taken)),
                    pass_fds=(taken,),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            finally:
                os.close(taken)
            with suppress(BrokenPipeError):
                pipe.write(json.dumps(dict(secrets)).encode())
                pipe.flush()
        return self._process


def _listen(pipe: IO[bytes], order: Order) -> None:
    with pipe:
        for line in pipe:
            order.say(f"{order.resource}: {line.decode(errors='replace').rstrip()}")
