"""Reading all data in turns: a part each day, so that every byte is read within some days."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ALL_PERCENT = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the packs: the `number`th, from 1, of `count`."""

    number: int
    count: int

    @property
    def is_all(self) -> bool:
        """Whether there is no other part."""
        return self.count == 1


def part_of_day(percent: int, now: datetime) -> Part:
    """Return the part of about `percent` (1 to 100) whose turn it is on the day of `now`, in UTC.

    Whoever checks once a day has read all parts after `count` + 1 days, whichever day came first.
    Each round begins one part further, so that a check once a week comes to all of them as well.
    """
    count = -(-ALL_PERCENT // percent)
    days = (now - _EPOCH) // timedelta(days=1)
    return Part(number=(days - days // count) % count + 1, count=count)
