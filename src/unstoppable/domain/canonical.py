"""JSON in its one form (RFC 8785), without fractions: what is signed is compared byte by byte."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import rfc8785

LARGEST_NUMBER = 2**53 - 1
"""What every reader of JSON keeps exactly."""


def canonical(fields: Mapping[str, Any]) -> bytes:
    """Return an object as canonical JSON; raises ValueError for what has no such form."""
    return rfc8785.dumps(dict(fields))


def read_canonical(content: bytes, *, largest_bytes: int) -> dict[str, Any]:
    """Return the object that `content` is the canonical form of; raises ValueError.

    Another form of the same object is refused, so that no two readers see two things in it:
    names that come twice, spaces, fractions, other escapes.
    """
    if len(content) > largest_bytes:
        cause = f"it is larger than {largest_bytes:,} bytes"
        raise ValueError(cause)
    try:
        found = json.loads(content.decode(), parse_float=_refuse, parse_constant=_refuse)
        is_canonical = isinstance(found, dict) and canonical(found) == content
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no canonical JSON") from error
    if not is_canonical:
        raise ValueError("it is no object in canonical JSON")
    return dict(found)


def is_number(value: object) -> bool:
    """Return whether a value of JSON is a whole number from 0 on; `true` is none."""
    return type(value) is int and 0 <= value <= LARGEST_NUMBER


def _refuse(_text: str) -> NoReturn:
    raise ValueError("a fraction")
