"""A run in a process of its own, whose words are told with the name of its resource."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from unstoppable.domain.customer_errors import RunNotStarted
from unstoppable.domain.names import ResourceName

_SIGNALLED = 128
"""Shells add it to the number of the signal that ended a process."""


class Child:
    """A process; nobody waits for it, `poll` tells when it has ended."""

    def __init__(
        self,
        argv: Sequence[str],
        resource: ResourceName,
        say: Callable[[str], None],
        secrets: Mapping[str, str],
    ) -> None:
        """Start it with `--secrets-fd`, from which it takes the secrets; raises RunNotStarted.

        It leads a process group of its own, so that Ctrl-C reaches the parent alone, who tells it.
        """
        taken, given = os.pipe()
        try:
            self._process = subprocess.Popen(
                (*argv, "--secrets-fd", str(taken)),
                pass_fds=(taken,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            os.close(given)
            raise RunNotStarted(resource=resource, cause=error.strerror) from error
        finally:
            os.close(taken)
        with suppress(BrokenPipeError), os.fdopen(given, "wb") as pipe_in:
            pipe_in.write(json.dumps(secrets).encode())
        pipe = self._process.stdout
        self._listener = threading.Thread(target=_listen, args=(pipe, resource, say), daemon=True)
        self._listener.start()

    def poll(self) -> int | None:
        """Return its exit code once it has ended and everything it said was told."""
        code = self._process.poll()
        if code is None or self._listener.is_alive():
            return None
        return code if code >= 0 else _SIGNALLED - code

    def stop(self) -> None:
        """Have it end soon: it keeps what it has."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now, and everything that it started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


def _listen(pipe: IO[bytes], resource: ResourceName, say: Callable[[str], None]) -> None:
    with pipe:
        for line in pipe:
            say(f"{resource}: {line.decode(errors='replace').rstrip()}")
