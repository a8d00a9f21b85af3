"""How names and numbers are shown to people."""

from collections.abc import Sequence
from datetime import timedelta

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024
_LAST_SHORT_CODE = 0xFF
_SET_ASIDE = range(0xDC80, 0xDD00)
"""Where `surrogateescape` puts bytes that are no UTF-8."""
_LAYOUT = dict.fromkeys(map(ord, "\t\n\r"))


def printable(text: str | bytes) -> str:
    r"""Return `text` on one line without anything a terminal would obey.

    Names in a source or a repository are anybody's: control characters, bytes that are no UTF-8
    and the backslash itself are written as `\xNN`, `\uNNNN` and `\\`.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_visible, text))


def is_plain(text: str) -> bool:
    """Return whether a terminal would only show the text: it may hold tabs and line breaks."""
    return text.translate(_LAYOUT).isprintable()


def _visible(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    code = ord(character)
    if code in _SET_ASIDE:
        code &= _LAST_SHORT_CODE
    return f"\\x{code:02x}" if code <= _LAST_SHORT_CODE else f"\\u{code:04x}"


def size(size_bytes: float) -> str:
    """Return a number of bytes, such as `1.2 GiB`; numbers below 1 KiB are exact."""
    if size_bytes < _STEP:
        return f"{int(size_bytes)} B"
    value, power = size_bytes / _STEP, 0
    while round(value, 1) >= _STEP and power < len(_UNITS) - 1:
        value, power = value / _STEP, power + 1
    return f"{value:.1f} {_UNITS[power]}"


def rate(bytes_per_second: float) -> str:
    """Return a speed, such as `80.3 MiB/s`."""
    return f"{size(bytes_per_second)}/s"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file` or `12,345 files`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def some(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are, such as `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def duration(passed: timedelta) -> str:
    """Return a length of time, such as `12 s`, `3 min 20 s`, `2 h 05 min` or `4 d 03 h`."""
    seconds = max(0, round(passed.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24:02} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    if minutes:
        return f"{minutes} min {seconds % 60:02} s"
    return f"{seconds} s"
