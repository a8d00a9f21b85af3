"""The clerk of a run: a process beside it that keeps the journal, which the run cannot open.

In the state lie the runs of all customers, and the keys that sign them. So a run that gives up
what it does not need gives up the state; a clerk, which gives up nothing, writes down for it what
concerns that one run, and nothing else. Whoever took over a run can have its clerk tell lies about
that run, and nothing about another one.
"""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from unstoppable.domain.canonical import read_canonical
from unstoppable.domain.errors import FolderUnusable, JournalUnusable, UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.record_errors import (
    EmitterUnusable,
    JournalDamaged,
    JournalLost,
    JournalSetAside,
)
from unstoppable.domain.record_form import check_record
from unstoppable.domain.run import LARGEST_RECORD_BYTES, Run, RunRecord
from unstoppable.runner.journal import Journal
from unstoppable.runner.pen import killed

_LARGEST_QUESTION_BYTES = 4 * 1024 * 1024
"""Many mount points; a record is much smaller."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They reach the clerk together with its run, and it has to record how that ends."""
_MOST_QUESTIONS = 1_000
"""A run asks a dozen, and one for each dead run that it finds; each holds up all other runs."""
_ERRORS: Mapping[str, type[UnstoppableError]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (JournalUnusable, JournalDamaged, FolderUnusable, EmitterUnusable)
    }
)


@contextmanager
def beside(state: Path, run: Run) -> Iterator["Clerk"]:
    """Have a clerk keep the journal for a run while the context lasts; raises OSError.

    To be called before this process gives up the state, and while it has one thread. The clerk is
    forked, which is quick, and never calls the engine, which would refuse to work there. It
    hears no signal that ends the run, and ends when the run has: one that was told to end is
    recorded.
    """
    ours, theirs = socket.socketpair()
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    process = os.fork()  # noqa: TID251 - it never calls the engine
    if process == 0:
        _be_clerk(ours, theirs, state, run)
    signal.pthread_sigmask(signal.SIG_SETMASK, former)
    theirs.close()
    channel = ours.makefile("rwb")
    ours.close()
    try:
        yield Clerk(channel, Journal(state).path, run)
    finally:
        with suppress(OSError):  # what a clerk that ended did not hear
            channel.close()
        os.waitpid(process, 0)


class Clerk:
    """The run's own side of its clerk."""

    def __init__(self, channel: BufferedIOBase, path: Path, run: Run) -> None:
        self._channel, self._path = channel, path
        self.run = run
        self._lock = threading.Lock()
        """A run that is killed is recorded by another thread."""

    def write(self, *records: RunRecord) -> JournalLost | None:
        """Keep the records, of this run or of runs that were killed."""
        lost: JournalLost | None = None
        for record in records:
            if found := self._ask(ask="write", record=record.to_json()):
                lost = JournalLost(path=found["path"], customer=found["customer"])
        return lost

    def going_on(self, customer: str) -> list[RunRecord]:
        """Return the customer's runs that have no outcome."""
        return [RunRecord.from_json(text) for text in self._ask(ask="going_on", of=customer)]

    def has_run_for(self, resource: ResourceName, slot_at: datetime, *, until: datetime) -> bool:
        """Return whether a run began for the slot of this run."""
        question = {"of": str(resource), "slot": _text(slot_at), "until": _text(until)}
        return bool(self._ask(ask="has_run_for", **question))

    def has_complete(self, resource: ResourceName) -> bool:
        """Return whether a run left a complete snapshot."""
        return bool(self._ask(ask="has_complete", of=str(resource)))

    def mounts(self, resource: ResourceName) -> frozenset[bytes]:
        """Return the mount points that the next backup of this resource needs."""
        return frozenset(map(_bytes, self._ask(ask="mounts", of=str(resource))))

    def remember_mounts(self, resource: ResourceName, points: Iterable[bytes]) -> None:
        """Keep the mount points that the next backup of this resource needs."""
        self._ask(ask="remember_mounts", of=str(resource), points=[*map(_line, points)])

    def set_aside(self) -> JournalSetAside | None:
        """Put a damaged journal under another name, once."""
        found = self._ask(ask="set_aside")
        if found is None:
            return None
        return JournalSetAside(path=found["path"], aside=found["aside"])

    def _ask(self, **question: object) -> Any:  # noqa: ANN401 - anything of JSON
        try:
            with self._lock:
                _send(self._channel, question)
                line = self._channel.readline()
        except OSError as error:
            raise self._ended() from error
        if not line:
            raise self._ended()
        found = json.loads(line)
        if "error" in found:
            raise _ERRORS[found["error"]](**found["facts"])
        return found["answer"]

    def _ended(self) -> JournalUnusable:
        cause = "the process that keeps it for this run has ended"
        return JournalUnusable(path=self._path, cause=cause)


class Desk:
    """Answers the questions of one run, which may be anybody's by now."""

    def __init__(self, journal: Journal, run: Run) -> None:
        self._journal, self._run = journal, run
        self._has_set_aside = False
        self._answers: Mapping[object, Callable[..., object]] = {
            "write": self._write,
            "going_on": self._going_on,
            "has_run_for": self._has_run_for,
            "has_complete": self._has_complete,
            "mounts": self._mounts,
            "remember_mounts": self._remember_mounts,
            "set_aside": self._set_aside,
        }

    def answer(self, line: bytes) -> dict[str, object]:
        """Return what to send back; a question that is not this run's to ask is refused."""
        try:
            question = _parsed(line)
            return {"answer": self._answers[question.pop("ask")](**question)}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            refused = JournalUnusable(path=self._journal.path, cause=f"not for this run: {error}")
            return _as_error(refused)
        except (JournalUnusable, FolderUnusable, EmitterUnusable) as error:
            return _as_error(error)

    def _write(self, record: str) -> dict[str, str] | None:
        check_record(read_canonical(record.encode(), largest_bytes=LARGEST_RECORD_BYTES))
        found = RunRecord.from_json(record)
        if found.run != self._run and found not in self._dead():
            raise ValueError("the record is another run's")
        if found.to_json() != record:
            raise ValueError("the record has another form")
        lost = self._journal.write(found)
        return None if lost is None else _texts(lost.facts)

    def _dead(self) -> list[RunRecord]:
        return [killed(one) for one in self._journal.going_on(self._run.resource.customer)]

    def _going_on(self, of: str) -> list[str]:
        self._require(of == self._run.resource.customer)
        return [record.to_json() for record in self._journal.going_on(of)]

    def _has_run_for(self, of: str, slot: str, until: str) -> bool:
        self._require_own(of)
        resource, slot_at, started_at = self._run.resource, self._run.slot_at, self._run.started_at
        if slot_at is None or (slot, until) != (_text(slot_at), _text(started_at)):
            raise ValueError("the slot is another run's")
        return self._journal.has_run_for(resource, slot_at, until=started_at)

    def _has_complete(self, of: str) -> bool:
        self._require_own(of)
        return self._journal.has_complete(self._run.resource)

    def _mounts(self, of: str) -> list[str]:
        self._require_own(of)
        return [*map(_line, self._journal.mounts(self._run.resource))]

    def _remember_mounts(self, of: str, points: list[str]) -> None:
        self._require_own(of)
        self._journal.remember_mounts(self._run.resource, [*map(_bytes, points)])

    def _set_aside(self) -> dict[str, str] | None:
        self._require(not self._has_set_aside)
        self._has_set_aside = True
        found = self._journal.set_aside()
        return None if found is None else _texts(found.facts)

    def _require_own(self, of: str) -> None:
        self._require(of == str(self._run.resource))

    def _require(self, holds: bool) -> None:  # noqa: FBT001 - a claim
        if not holds:
            raise ValueError("it is somebody else's, or was asked before")


def serve(channel: BufferedIOBase, desk: Desk) -> None:
    """Answer questions until there are no more; raises OSError where nobody takes the answer."""
    for _ in range(_MOST_QUESTIONS):
        line = channel.readline(_LARGEST_QUESTION_BYTES)
        if not line.endswith(b"\n"):
            return
        _send(channel, desk.answer(line))


def _be_clerk(ours: socket.socket, theirs: socket.socket, state: Path, run: Run) -> NoReturn:
    """Be the clerk, and never come back."""
    try:
        # 1. Whoever listens to the run waits until nobody can speak there any more.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        # 2. It would not hear that the run ended while it held the run's side itself.
        ours.close()
        with suppress(OSError):
            serve(theirs.makefile("rwb"), Desk(Journal(state), run))
    finally:
        os._exit(0)


def _parsed(line: bytes) -> dict[str, Any]:
    """Return a question, of texts and lists of texts; raises ValueError or TypeError."""
    found = dict(json.loads(line))
    for value in found.values():
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("it holds what is no text")
    return found


def _send(channel: BufferedIOBase, words: Mapping[str, object]) -> None:
    channel.write(json.dumps(words).encode() + b"\n")
    channel.flush()


def _as_error(error: UnstoppableError) -> dict[str, object]:
    return {"error": type(error).__name__, "facts": _texts(error.facts)}


def _texts(facts: Mapping[str, object]) -> dict[str, str]:
    return {name: str(fact) for name, fact in facts.items()}


def _text(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def _line(path: bytes) -> str:
    return path.decode("latin-1")


def _bytes(line: str) -> bytes:
    return line.encode("latin-1")
