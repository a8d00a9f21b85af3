"""When people are told by mail that a resource needs them, and in which words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from unstoppable.domain.text import count, duration, printable, some

SETTLING = timedelta(minutes=1)
"""For how long what begins is waited for, so that much at once is one mail."""
BETWEEN = timedelta(minutes=10)
"""Between two mails about what changed."""
REMINDED_EVERY = timedelta(days=1)
NEVER_BACKED_UP_AFTER = timedelta(hours=1)
"""A resource that is new needs nobody before that."""
_NAMED = 3
_LISTED = 100
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a resource."""

    need: str | None
    """Why somebody should look; None where nobody need."""
    since: datetime
    """When that began."""
    told_at: datetime | None = None
    """When somebody was told last that it needs him; None where nobody is to be told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A mail to be sent."""

    recipient: str
    subject: str
    body: str
    made_at: datetime


def seen(known: Known | None, need: str | None, moment: datetime) -> Known:
    """Return what is known of a resource after one more look."""
    if known is None:
        return Known(need=need, since=moment)
    since = known.since
    if (known.need is None) != (need is None) or since > moment:
        since = moment
    return replace(known, need=need, since=since)


def news(
    known: Mapping[str, Known], moment: datetime, *, is_last_look: bool = False
) -> tuple[list[str], list[str], list[str]]:
    """Return who begins to need somebody, who recovered, and of whom to remind.

    Nothing, until what changed has settled and the last mail is a while ago; at the last look of
    a process that ends it is not waited for.
    """
    begun = [name for name, one in known.items() if one.need and one.told_at is None]
    over = [name for name, one in known.items() if not one.need and one.told_at is not None]
    changed_at = [known[name].since for name in (*begun, *over)]
    told = [one.told_at for one in known.values() if one.told_at is not None]
    last = max((at for at in told if at <= moment), default=None)
    is_ripe = bool(changed_at) and (
        is_last_look
        or (moment - min(changed_at) >= SETTLING and (last is None or moment - last >= BETWEEN))
    )
    old = [name for name, one in known.items() if _is_to_be_reminded(one, moment)]
    if not is_ripe and not old:
        return [], [], []
    going_on = [name for name, one in known.items() if one.need and one.told_at is not None]
    return (begun, over, going_on) if is_ripe else ([], [], going_on)


def _is_to_be_reminded(one: Known, moment: datetime) -> bool:
    # A moment that is still to come is of a clock that was ahead.
    return (
        bool(one.need)
        and one.told_at is not None
        and not (one.told_at <= moment < one.told_at + REMINDED_EVERY)
    )


def told(known: Mapping[str, Known], names: Collection[str], moment: datetime) -> dict[str, Known]:
    """Return what is known of those who were told of."""
    return {
        name: replace(known[name], told_at=moment if known[name].need else None) for name in names
    }


def compose(
    known: Mapping[str, Known],
    recipients: Mapping[str, Collection[str]],
    parts: tuple[Sequence[str], Sequence[str], Sequence[str]],
    moment: datetime,
    *,
    machine: str,
) -> list[Alert]:
    """Return a mail to each recipient about the resources that are his.

    `recipients` has the resources of each.
    """
    mails = []
    for recipient, own in sorted(recipients.items()):
        begun, over, going_on = ([name for name in part if name in own] for part in parts)
        if not begun and not over and not going_on:
            continue
        subject = _subject(begun, over, going_on, of=len(own))
        body = _body(known, (begun, over, going_on), moment, machine=machine)
        mails.append(
            Alert(recipient=recipient, subject=printable(subject), body=body, made_at=moment)
        )
    return mails


def _subject(begun: Sequence[str], over: Sequence[str], going_on: Sequence[str], *, of: int) -> str:
    needy = len(begun) + len(going_on)
    if begun and needy == of and of > 1:
        return f"backups: ALL {of} resources need you"
    if begun:
        return f"backups: {_named(begun, 'needs', 'need')} you"
    if over and not going_on:
        return f"backups: {_named(over, 'is', 'are')} in order again"
    if over:
        verb = "is" if len(over) == 1 else "are"
        return f"backups: {some(over, _NAMED)} {verb} in order again, {needy} still not"
    return f"backups: {_named(going_on, 'still needs', 'still need')} you"


def _named(names: Sequence[str], one: str, many: str) -> str:
    return f"{some(sorted(names), _NAMED)} {one if len(names) == 1 else many}"


def _body(
    known: Mapping[str, Known],
    parts: tuple[Sequence[str], Sequence[str], Sequence[str]],
    moment: datetime,
    *,
    machine: str,
) -> str:
    begun, over, going_on = parts
    lines = [f"Backups of {printable(machine)}, as it says itself at {_at(moment)}."]
    lines += _part("Begin to need you", begun, known, moment)
    lines += _part("In order again", over, known, moment)
    lines += _part("Still need you", going_on, known, moment)
    if begun or going_on:
        lines += ["", "`unstoppable status` on that machine tells how all are now."]
    return "\n".join(lines) + "\n"


def _part(
    title: str, names: Iterable[str], known: Mapping[str, Known], moment: datetime
) -> list[str]:
    ordered = sorted(names)
    if not ordered:
        return []
    lines = ["", f"{title} ({len(ordered)}):"]
    for name in ordered[:_LISTED]:
        one = known[name]
        why = f": {one.need}" if one.need else ""
        passed = duration(moment - one.since)
        lines.append(f"  {printable(f'{name} for {passed}{why}')[:_LONGEST_LINE]}")
    if len(ordered) > _LISTED:
        lines.append(f"  and {count(len(ordered) - _LISTED, 'other')}")
    return lines


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
