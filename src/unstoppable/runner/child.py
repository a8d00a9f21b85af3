"""A run in a process of its own, whose words are told with the name of its resource."""

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO

from unstoppable.domain.errors import UnstoppableError, unexpected
from unstoppable.domain.limit_errors import RunStopped, SecretsSlow, WentOn, WentSilent
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.text import duration, printable
from unstoppable.runner.watchdog import Patience, Stillness

_SIGNALLED = 128
"""Shells add it to the number of the signal that ended a process."""
_LONGEST_LINE_BYTES = 65_536
_MOST_SAID_BYTES = 1 << 20
"""Of what a run says, on either pipe: one that was taken over fills no disk with its log."""
_TOO_MUCH = "what it says is too much; the rest is left out"
_MOST_SIGNS = 4096
_LOOK_MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What is read when a run begins."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    """By their settings' names."""
    longest: timedelta | None = None
    """How long it may take as a whole; None for any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run."""

    resource: ResourceName
    argv: Sequence[str]
    environment: Mapping[str, str]
    provide: Callable[[], Provided]
    """Reads what the run is given; may take a while, and may fail."""
    tell: Callable[[str], None]
    """Takes a line of its result."""
    say: Callable[[str], None]
    """Takes a line of everything else."""
    patience: Patience


class Child:
    """A run that begins as soon as its secrets are there; nobody waits for it.

    Its secrets go through a pipe, so that they stand in no argument, environment or file. A run
    whose secrets cannot be had, or not in time, is told why, and records it.
    It gives a sign of life through another pipe; one that is silent for too long is ended, and so
    is one that goes on for longer than it may, however lively: it should have ended itself.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        self._is_stopped = self._is_reaped = False
        self._lock = threading.Lock()
        """Whoever has it may signal the process: its number is nobody else's by now."""
        self._signs: int | None = None
        """The reading end of the pipe of its signs of life."""
        self._silence = Stillness()
        self._going_on = Stillness()
        """How long it has been at work."""
        self._longest: timedelta | None = None
        self._killed_at: float | None = None
        """When it is killed, where it has to end; what it says from then on explains nothing."""
        self._left_until = float("inf")
        """Until when somebody listens to it; it ended."""
        self.last_words = ""
        """The last thing that it complained about."""
        threading.Thread(target=self._run, daemon=True).start()

    def poll(self) -> int | None:
        """Return its exit code once it has ended and everything it said was told.

        To be called now and then: here it is noticed that it is silent.
        """
        # It may end while we look: then its pipe is closed the next time.
        code = self._code
        self._listen_for_signs(code)
        return code

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; any thread may look."""
        return self._code is not None

    @property
    def pid(self) -> int | None:
        """Its process, once there is one."""
        return None if self._process is None else self._process.pid

    def _listen_for_signs(self, code: int | None) -> None:
        if self._signs is None:
            return
        if code is not None:
            os.close(self._signs)
            self._signs = None
            return
        with suppress(BlockingIOError):
            if os.read(self._signs, _MOST_SIGNS):
                self._silence.end()
        now = time.monotonic()
        if self._killed_at is None:
            why = self._why_to_end()
            if why is not None:
                self._complain(str(why))
                self._order.say(f"{self._order.resource}: hint: {why.hint}")
                self._killed_at = now + self._order.patience.grace.total_seconds()
                self.stop()
        elif now >= self._killed_at:
            self.kill()

    def _why_to_end(self) -> RunStopped | None:
        """Return why it has to end; None where it may go on."""
        stall = self._order.patience.stall
        if self._silence.seconds() > stall.total_seconds():
            return WentSilent(limit=duration(stall))
        seconds, longest = self._going_on.seconds(), self._longest
        # It ends itself when its time is over: it has the grace to do so, kills itself after that,
        # and says why.
        given = 2 * self._order.patience.grace
        if longest is not None and seconds > (longest + given).total_seconds():
            return WentOn(limit=duration(longest))
        return None

    def stop(self) -> None:
        """Have it end soon: it keeps what it has."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now, and everything that it started."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock, suppress(ProcessLookupError):
            self._is_stopped = True
            if self._process is not None and not self._is_reaped:
                os.killpg(self._process.pid, number)

    def _run(self) -> None:
        code: int = ExitCode.FAILED
        try:
            code = self._run_to_its_end()
        except Exception as error:  # noqa: BLE001 - the outermost place of a thread
            self._complain(str(unexpected(error)))
        finally:
            # Nobody but its parent cancelled it, and not because anybody wished so.
            is_failed = self._killed_at is not None and code == ExitCode.CANCELLED
            self._code = ExitCode.FAILED if is_failed else code

    def _run_to_its_end(self) -> int:
        provided, options = self._provided_in_time()
        taken, given = os.pipe()
        signs, sign = os.pipe()
        for end in (signs, sign):
            os.set_blocking(end, False)
        try:
            process = self._start((*self._order.argv, *options), taken, sign)
        except OSError as error:
            os.close(given)
            os.close(signs)
            self._complain(f"it could not be started: {error.strerror}")
            return ExitCode.FAILED
        finally:
            os.close(taken)
            os.close(sign)
        self._silence, self._going_on = Stillness(), Stillness()
        self._longest = provided.longest
        self._signs = signs
        _hand_over(given, provided.secrets if process else {})
        if process is None:
            return ExitCode.CANCELLED
        code = self._listen_to_its_end(process)
        return code if code >= 0 else _SIGNALLED - code

    def _listen_to_its_end(self, process: "subprocess.Popen[bytes]") -> int:
        """Tell what it says, and return how it ended.

        Whoever it left behind in its group, its clerk where somebody killed the run alone, is
        killed. A confined run has left nobody elsewhere, because it starts no other process; who
        is there all the same, and has its pipes, is listened to a while longer.
        """
        pipes = ((process.stdout, self._order.tell), (process.stderr, self._hear))
        listeners = [
            threading.Thread(target=self._listen, args=pipe, daemon=True) for pipe in pipes
        ]
        for listener in listeners:
            listener.start()
        # Its number stays its own until it is reaped.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        os.killpg(process.pid, signal.SIGKILL)
        self._left_until = time.monotonic() + self._order.patience.grace.total_seconds()
        for listener in listeners:
            listener.join()
        with self._lock:
            self._is_reaped = True
            return process.wait()

    def _provided_in_time(self) -> tuple[Provided, list[str]]:
        """Return the same as `_provided`; the thread that still waits for it is left."""
        found: list[tuple[Provided, list[str]]] = []
        asking = threading.Thread(target=lambda: found.append(self._provided()), daemon=True)
        asking.start()
        limit = self._order.patience.secrets
        asking.join(limit.total_seconds())
        if found:
            return found[0]
        slow = SecretsSlow(resource=self._order.resource, limit=duration(limit))
        return Provided(), ["--cannot", str(slow)]

    def _provided(self) -> tuple[Provided, list[str]]:
        """Return what the run is given, or the option that tells it why it has no secrets."""
        try:
            return self._order.provide(), []
        except UnstoppableError as error:
            return Provided(), ["--cannot", str(error)]
        except Exception as error:  # noqa: BLE001 - a run is recorded whatever happens
            return Provided(), ["--cannot", str(unexpected(error))]

    def _start(self, argv: Sequence[str], taken: int, sign: int) -> subprocess.Popen[bytes] | None:
        """Start it; nothing where it was stopped before.

        It leads a process group of its own, so that Ctrl-C reaches the parent alone, who tells it.
        """
        with self._lock:
            if self._is_stopped:
                return None
            self._process = subprocess.Popen(
                (*argv, "--secrets-fd", str(taken), "--signs-fd", str(sign)),
                env=dict(self._order.environment),
                pass_fds=(taken, sign),
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
            left_bytes, name = _MOST_SAID_BYTES, f"{self._order.resource}: "
            for line in _lines(pipe.fileno(), lambda: time.monotonic() >= self._left_until):
                if left_bytes < 0:
                    continue
                left_bytes -= len(name) + len(line)
                words = printable(line.rstrip()) if left_bytes >= 0 else _TOO_MUCH
                tell(name + words)

    def _hear(self, line: str) -> None:
        _, error, words = line.partition(": error: ")
        if error and self._killed_at is None:
            self.last_words = words
        self._order.say(line)

    def _complain(self, words: str) -> None:
        self._hear(f"{self._order.resource}: error: {words}")


def _lines(pipe: int, is_over: Callable[[], bool]) -> Iterator[bytes]:
    """Yield what is said line by line, a longer one in parts, until nobody can, or it is over."""
    rest = b""
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    while not is_over():
        if not waiting.poll(_LOOK_MILLISECONDS):
            continue
        piece = os.read(pipe, _LONGEST_LINE_BYTES)
        if not piece:
            break
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) >= _LONGEST_LINE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


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
