"""When backups are due: pure functions, so whoever watches a machine reckons as it does itself."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby, pairwise
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from unstoppable.domain.errors import ScheduleInvalid

LOOKED_BACK = timedelta(days=31)
"""Older slots are looked at only where there are no later ones: a machine that slept for a year
would list half a million of them."""
TICK = timedelta(minutes=1)
"""How often somebody looks."""
_FIELDS = 5
_SPREAD_OVER_HOURS = 6
_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_MOST_PUT_BACK = timedelta(hours=3)
_MINUTE = timedelta(minutes=1)
_HANDOVER = 2 * TICK
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The five fields of a cron line, and the zone whose clock it follows.

    As Debian's cron does at a change of the clock: a time that the clock leaves out comes at once
    when it was put forward, and one that it shows twice comes once. A line with `*` as minute or
    hour means every such minute, whatever the clock shows.
    """

    line: str
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the schedule written as `17 2 * * *` or `17 2 * * * Europe/Berlin`.

        Raises ScheduleInvalid.
        """
        words = text.split()
        line, zone = " ".join(words[:_FIELDS]), " ".join(words[_FIELDS:])
        if len(words) < _FIELDS:
            reason = "it needs five fields: minute, hour, day of the month, month, day of the week"
            raise ScheduleInvalid(text=text, reason=reason)
        found = cls(line, zone or "UTC")
        try:
            found._tzinfo()
            next(CronSim(line, _ANY_DAY))
        except CronSimError as error:
            raise ScheduleInvalid(text=text, reason=_in_words(error)) from error
        except (StopIteration, RuntimeError) as error:
            raise ScheduleInvalid(text=text, reason="no day ever fits it") from error
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            reason = f"this machine knows no time zone {zone!r}"
            raise ScheduleInvalid(text=text, reason=reason) from error
        return found

    @classmethod
    def nightly(cls, seed: str) -> Self:
        """Return a time between 0 and 6 o'clock UTC, always the same for the same `seed`.

        Others have other ones, so that they do not all come to one server at once.
        """
        digest = hashlib.sha256(seed.encode()).digest()
        minute = int.from_bytes(digest[:8], "big") % (_SPREAD_OVER_HOURS * 60)
        return cls(f"{minute % 60} {minute // 60} * * *")

    def slots(self, *, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the due moments later than `after`, up to `until`, in UTC."""
        zone, last = self._tzinfo(), after
        if _is_steady(zone, after):
            last = min(after + _A_DAY, until)
            yield from self._steady(zone, after, last)
            if last == until:
                return
            after = last
        # Some hours earlier: the clock may have been put back meanwhile. Whole days, to be sorted.
        begin = (after - _MOST_PUT_BACK).astimezone(zone).replace(tzinfo=None, hour=0, minute=0)
        walls = CronSim(self.line, begin - _MINUTE)
        for _, walls_of_day in groupby(walls, key=datetime.date):
            for slot in sorted({slot for wall in walls_of_day for slot in self._at(wall, zone)}):
                if slot > until:
                    return
                if slot > last:
                    yield slot
                    last = slot

    def _steady(self, zone: tzinfo, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the same where the clock is not changed meanwhile: a day takes long to sort."""
        local = after.astimezone(zone)
        offset = local.utcoffset() or timedelta()
        for wall in CronSim(
            self.line, local.replace(tzinfo=None, second=0, microsecond=0) - _MINUTE
        ):
            slot = (wall - offset).replace(tzinfo=UTC)
            if slot > until:
                return
            if slot > after:
                yield slot

    def since(self, moment: datetime, *, until: datetime) -> list[datetime]:
        """Return the slots later than `moment`, up to `until`; of many only the last days'."""
        late = list(self.slots(after=max(moment, until - LOOKED_BACK), until=until))
        return late or list(self.slots(after=moment, until=until))

    def _at(self, wall: datetime, zone: tzinfo) -> tuple[datetime, ...]:
        """Return when, in UTC, the clock shows `wall`, or what comes in its place."""
        minute, hour, *_ = self.line.split()
        is_every = minute.startswith("*") or hour.startswith("*")
        first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(zone).replace(tzinfo=None) == wall:
            return (first, second) if is_every else (first,)
        return () if is_every else self._at(wall + _MINUTE, zone)

    def __str__(self) -> str:
        return f"{self.line} {self.zone}"

    def _tzinfo(self) -> tzinfo:
        return UTC if self.zone == "UTC" else ZoneInfo(self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when until when a run was at work."""

    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done about slots that came since somebody looked last."""

    run: datetime | None = None
    """The slot that is to be run now: the newest, and only if no run was at work when it came."""
    overlapped: tuple[datetime, ...] = ()
    """Those that came while a run was at work."""
    missed: tuple[datetime, ...] = ()
    """Those that came while nobody looked, but the newest."""
    waited: tuple[datetime, ...] = ()
    """Those whose turn did not come before the next one."""
    crowded: tuple[datetime, ...] = ()
    """Those that found others at work, and were not to wait for them."""


def due(slots: Iterable[datetime], at_work: Iterable[Span], others: Iterable[Span] = ()) -> Due:
    """Tell what is to be done about `slots`, oldest first.

    `at_work` was the same resource, `others` were those that it shares its lane with.
    """
    slots, spans, beside = list(slots), list(at_work), list(others)
    overlapped: list[datetime] = []
    free: list[datetime] = []
    for slot in slots:
        is_overlapped = any(span.started_at <= slot <= span.ended_at for span in spans)
        (overlapped if is_overlapped else free).append(slot)
    newest = free.pop() if free and (not overlapped or free[-1] > overlapped[-1]) else None
    ends = dict(pairwise(slots))
    waited = [slot for slot in free if slot in ends and _is_busy(slot, ends[slot], beside)]
    missed = tuple(slot for slot in free if slot not in waited)
    return Due(run=newest, overlapped=tuple(overlapped), missed=missed, waited=tuple(waited))


def _is_busy(start: datetime, end: datetime, others: Iterable[Span]) -> bool:
    """Return whether others were at work from `start` to `end`, one after the other.

    Between two of them the next one is started, which takes as long as somebody does not look.
    """
    reached = start
    for span in sorted(others, key=lambda one: one.started_at):
        if span.started_at <= reached + _HANDOVER and span.ended_at > reached:
            reached = span.ended_at
    return reached > start and reached + _HANDOVER >= end


def _is_steady(zone: tzinfo, moment: datetime) -> bool:
    """Return whether the clock is changed neither in the day before a moment nor in two after."""
    if zone is UTC:
        return True
    around = (moment - _A_DAY, moment, moment + 2 * _A_DAY)
    return len({one.astimezone(zone).utcoffset() for one in around}) == 1


def _in_words(error: CronSimError) -> str:
    text = str(error)
    return f"{text.removeprefix('Bad ')} is wrong" if text.startswith("Bad ") else text.lower()
