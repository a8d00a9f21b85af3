"""Amounts of bytes as settings write them."""

import re

_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def parse(text: str) -> int | None:
    """Return bytes, written such as `20 MiB`; None for what is no such amount."""
    found = re.fullmatch(r"(\d{1,15})\s*(|KiB|MiB|GiB|TiB)", text.strip(), re.ASCII)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def written(size_bytes: int) -> str:
    """Return bytes as they may be written, in the largest unit that is exact."""
    unit = next(unit for unit, its in reversed(_UNITS.items()) if size_bytes % its == 0)
    return f"{size_bytes // _UNITS[unit]} {unit}".rstrip()
