"""A secret as a person types it from paper: groups of digits, each with its check.

A group is eight hexadecimal digits and two check digits, as docs/formats.md words it.
251 is a prime, so any one wrong digit is found, and any two of the eight that changed places;
the group's number is part of the sum, so a group in another's place is found as well.
"""

import hmac
import re

_DIGITS = 8
_CHECK_DIGITS = 2
_TYPED = _DIGITS + _CHECK_DIGITS
_MODULUS = 251
_NUMBER = re.compile(r"(?<!\S)[0-9]{1,2}:")
"""What a sheet prints before a group; no digit of it is the secret's."""


class GroupsMalformed(ValueError):
    """What was typed is not what a sheet says; the sentence names the group, not the digits."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"group {number} {reason}")


def split(secret: str) -> tuple[str, ...]:
    """Return the groups of a secret of hexadecimal digits, such as `3f9a 2b1c  7e`."""
    secret = secret.lower()
    starts = range(0, len(secret), _DIGITS)
    return tuple(
        _spaced(secret[start : start + _DIGITS], number) for number, start in enumerate(starts, 1)
    )


def join(typed: str, digits: int) -> str:
    """Return the secret of so many digits that was typed in groups; raises GroupsMalformed.

    Capitals, missing or further blanks and the groups' numbers change nothing.
    """
    bare = compact(typed)
    count = digits // _DIGITS
    groups = [bare[start : start + _TYPED] for start in range(0, len(bare), _TYPED)]
    for number, group in enumerate(groups[:count], 1):
        _refuse(group, number)
    if len(groups) < count:
        raise GroupsMalformed(len(groups) + 1, "is missing")
    if len(groups) > count:
        raise GroupsMalformed(count, "is the last one, but more follows")
    return "".join(group[:_DIGITS] for group in groups)


def compact(typed: str) -> str:
    """Return what was typed without blanks and numbers of groups, in small letters."""
    return "".join(_NUMBER.sub("", typed).split()).lower()


def is_in_groups(text: str, digits: int) -> bool:
    """Return whether a secret of so many digits was written in groups, and not as digits alone.

    Its length tells: groups have their check digits too. What has neither is read as what it
    looks like, so that an error names a group.
    """
    if ":" in text:
        return True
    length = len(compact(text))
    return length != digits and (len(text.split()) > 1 or length == digits // _DIGITS * _TYPED)


def is_group(typed: str, group: str) -> bool:
    """Return whether a group was typed as it is, in a time that tells nothing of it."""
    return hmac.compare_digest(compact(typed).encode(errors="replace"), compact(group).encode())


def _refuse(group: str, number: int) -> None:
    if not re.fullmatch(r"[0-9a-f]*", group):
        raise GroupsMalformed(number, "holds something that is no digit of 0-9 and a-f")
    if len(group) < _TYPED:
        raise GroupsMalformed(number, "is cut short")
    if group[_DIGITS:] != _check(group[:_DIGITS], number):
        raise GroupsMalformed(number, "is mistyped: its last two digits do not fit")


def _check(digits: str, number: int) -> str:
    return f"{(int(digits, 16) + number) % _MODULUS:02x}"


def _spaced(digits: str, number: int) -> str:
    return f"{digits[:4]} {digits[4:]}  {_check(digits, number)}"
