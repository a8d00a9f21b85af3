"""Amounts of bytes, and bytes per second, as settings write them."""
# ruff: noqa: EM102 - what is wrong is one sentence

import re

_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_LEAST_BYTES_PER_SECOND = 8 * 2**10
"""Slower than this, no pack would arrive before its deadline."""


def parse(text: str) -> int | None:
    """Return bytes, written such as `20 MiB`; None for what is no such amount."""
    found = re.fullmatch(r"(\d{1,15})\s*(|KiB|MiB|GiB|TiB)", text.strip(), re.ASCII)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def written(size_bytes: int) -> str:
    """Return bytes as they may be written, in the largest unit that is exact."""
    unit = next(unit for unit, its in reversed(_UNITS.items()) if size_bytes % its == 0)
    return f"{size_bytes // _UNITS[unit]} {unit}".rstrip()


def bandwidth(text: str) -> int:
    """Return bytes per second, written such as `20 MiB/s`; raises ValueError with a sentence."""
    bytes_per_second = parse(text.strip().removesuffix("/s"))
    if bytes_per_second is None:
        raise ValueError(f"'{text}' is not a bandwidth such as 20 MiB/s")
    if bytes_per_second < _LEAST_BYTES_PER_SECOND:
        raise ValueError(f"'{text}' is less than 8 KiB/s: no backup would come to an end")
    return bytes_per_second


def bandwidth_text(bytes_per_second: int) -> str:
    """Return a bandwidth as it may be written, in the largest unit that is exact."""
    text = written(bytes_per_second)
    return text if text.isdigit() else f"{text}/s"
