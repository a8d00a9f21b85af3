"""How keys are written: hexadecimal digits, alone or in the groups of a recovery sheet."""

import re
from enum import Enum

from unstoppable.domain import groups
from unstoppable.domain.errors import KeyInvalid


class KeyKind(Enum):
    """The two keys a person may hold; the value is the number of bytes."""

    ROOT = 32
    REPOSITORY = 64


def parse_key(text: str, kind: KeyKind, *, name: str) -> bytes:
    """Return the bytes of a written key.

    Raises KeyInvalid, which names the setting and never the value.
    Whether the bytes were generated is the engine's to say.
    """
    digits = kind.value * 2
    if groups.is_in_groups(text, digits):
        text = _from_groups(text, digits, name)
    text = groups.compact(text)
    if len(text) != digits:
        reason = f"it has {len(text)} characters"
        raise KeyInvalid(name=name, reason=reason, digits=digits)
    if not re.fullmatch(r"[0-9a-fA-F]+", text):
        raise KeyInvalid(name=name, reason="not every character is one", digits=digits)
    return bytes.fromhex(text)


def _from_groups(text: str, digits: int, name: str) -> str:
    try:
        return groups.join(text, digits)
    except groups.GroupsMalformed as error:
        raise KeyInvalid(name=name, reason=error, digits=digits) from error
