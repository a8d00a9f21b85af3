"""Tells others of runs, beside everything else: nothing here delays a run or changes its end."""
# ruff: noqa: PLC0415 - a client of HTTP is imported where somebody is told

import random
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol, Self

from unstoppable.cli import output
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.settings import Readings
from unstoppable.cli.settings_reader import Reading
from unstoppable.cli.undelivered import is_anybody_told
from unstoppable.domain.delivery_errors import OutboxDamaged
from unstoppable.domain.errors import UnstoppableError, unexpected

if TYPE_CHECKING:
    from unstoppable.cli.telling import Mailing, Watched

_LOOK_SECONDS = 0.25
_SWEEP_SECONDS, _SWEEP_SECONDS_EACH = 10.0, 0.1
"""How often each customer is looked at, of many less often: a look takes some milliseconds."""
_YOUNG_SECONDS, _YOUNG_EVERY_SECONDS = 10.0, 1.0
"""That a run began is told soon after."""
_WORKERS = 8
"""How many customers are told of at once: a slow server delays few others, and no run."""
FINISH_SECONDS = 5.0
"""How long a process that ends waits for those who are told."""
_SHARE_OF_MAIL = 0.4
"""Somebody who hangs leaves time to write of it."""
_MAIL = ""


def sending(session: Session, configuration: Configuration, *, is_by_hand: bool) -> "Sender":
    """Return who tells of one resource, as long as its context lasts."""
    reading = Reading(configuration=configuration, faults=(), unknown=frozenset())
    sender = Sender(session, is_by_hand=is_by_hand)
    sender.take(Readings(all=(reading,), common=reading))
    sender.follow(configuration.resource.customer, _ThisProcess())
    return sender


class Followed(Protocol):
    """A run that somebody started."""

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""


class _ThisProcess:
    """A run of our own: its end is the context's."""

    has_ended = False


class Sender:
    """Looks what is to be told, in threads of its own, while its context lasts."""

    def __init__(self, session: Session, *, is_by_hand: bool = False) -> None:
        self._session, self._is_by_hand = session, is_by_hand
        self._watched: dict[str, Watched] = {}
        self._mailing: Mailing | None = None
        self._look_at: dict[str, float] = {}
        self._at_work: set[str] = set()
        self._again: set[str] = set()
        """Of those who are at work, who is to be looked at once more after it."""
        self._children: list[tuple[str, Followed, float]] = []
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads = 0
        self._is_entered = self._is_looking = False
        self._said: set[str] = set()

    def take(self, found: Readings) -> None:
        """From now on tell of these."""
        watched: dict[str, Watched] = {}
        mailing = None
        if any(is_anybody_told(one.configuration) for one in (found.common, *found.all)):
            from unstoppable.cli import telling

            watched, mailing = telling.watched(found), telling.mailing(found)
        with self._lock:
            self._watched, self._mailing = watched, mailing
            # In any order: a tick ends soon, and must not end with the same ones each time.
            names = random.sample([*watched], len(watched))
            self._look_at = dict.fromkeys([*names, *([_MAIL] if mailing else [])], 0.0)
            self._begin()

    def follow(self, customer: str, running: Followed) -> None:
        """Look at a customer when a run of his began, and when it ended."""
        with self._lock:
            self._children.append((customer, running, time.monotonic()))

    def __enter__(self) -> Self:
        self._is_entered = True
        self._begin()
        return self

    def _begin(self) -> None:
        """Look from now on, where there is somebody to be told."""
        if self._is_entered and self._look_at and not self._is_looking:
            self._is_looking = True
            threading.Thread(target=self._keep_looking, daemon=True).start()

    def __exit__(self, kind: object, *_raised: object) -> None:
        self._is_over.set()
        if self._look_at and kind is None:
            self._finish(FINISH_SECONDS)
        for _ in range(self._threads):
            self._queue.put(None)

    def _keep_looking(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            with self._lock:
                self._look(time.monotonic())

    def _look(self, moment: float) -> None:
        """Have those looked at whose time has come."""
        for customer, running, began in list(self._children):
            if running.has_ended:
                self._children.remove((customer, running, began))
                self._sooner(customer, moment)
            elif moment - began < _YOUNG_SECONDS:
                self._sooner(customer, moment + _YOUNG_EVERY_SECONDS)
        for name, at in self._look_at.items():
            if at <= moment and name not in self._at_work:
                self._have_done(name)

    def _sooner(self, name: str, moment: float) -> None:
        if name in self._look_at:
            self._look_at[name] = min(self._look_at[name], moment)

    def _have_done(self, name: str) -> None:
        self._at_work.add(name)
        sweep = max(_SWEEP_SECONDS, _SWEEP_SECONDS_EACH * len(self._look_at))
        self._look_at[name] = time.monotonic() + sweep
        self._queue.put(name)
        if self._threads < min(_WORKERS, len(self._at_work)):
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

    def _finish(self, seconds: float) -> None:
        """Look at everybody once more, then write mail, for so long at most."""
        until = time.monotonic() + seconds
        with self._lock:
            for name in self._look_at.keys() - {_MAIL}:
                self._have_done_once_more(name)
        self._wait(until - seconds * _SHARE_OF_MAIL if self._mailing else until)
        if self._mailing:
            with self._lock:
                self._have_done_once_more(_MAIL)
            self._wait(until)

    def _have_done_once_more(self, name: str) -> None:
        if name in self._at_work:
            self._again.add(name)
        else:
            self._have_done(name)

    def _wait(self, until: float) -> None:
        """Wait until nobody is at work, until a moment at most."""
        while self._at_work and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS / 5)

    def _work(self) -> None:
        while (name := self._queue.get()) is not None:
            try:
                is_more = self._do(name)
            except Exception as error:  # noqa: BLE001 - the outermost place of a thread
                is_more = False
                self._complain_once(unexpected(error))
            with self._lock:
                self._at_work.discard(name)
                if name in self._again:
                    self._again.remove(name)
                    self._have_done(name)
                elif is_more:
                    self._sooner(name, 0.0)

    def _do(self, name: str) -> bool:
        """Tell of a customer, or send mail; returns whether more waits."""
        from unstoppable.cli import telling
        from unstoppable.runner.outbox import Outbox

        with self._lock:
            customer, mailing = self._watched.get(name), self._mailing
        troubles: list[UnstoppableError] = []
        is_more = False
        try:
            if customer is not None:
                troubles, is_more = telling.tell_of(customer)
            elif mailing is not None and name == _MAIL:
                is_last_look = self._is_by_hand and self._is_over.is_set()
                troubles = telling.tell_by_mail(mailing, is_last_look=is_last_look)
        except OutboxDamaged as error:
            aside = Outbox(Path(str(error.facts["path"])).parent).set_aside()
            troubles += filter(None, [aside])
        except UnstoppableError as error:
            self._complain_once(error)
        for trouble in troubles:
            output.complain(trouble, is_verbose=self._session.is_verbose)
        return is_more

    def _complain_once(self, error: UnstoppableError) -> None:
        """Tell what is wrong with this machine: it is met again with each look."""
        with self._lock:
            is_new = str(error) not in self._said
            self._said.add(str(error))
        if is_new:
            output.complain(error, is_verbose=self._session.is_verbose)
