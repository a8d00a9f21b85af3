"""What the exclusion patterns of a source leave out, for who asks about a single path.

The engine leaves out while it walks and is the truth; a test compares the two.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

_TOKEN = re.compile(rb"\A\*\*/|/\*\*/|/\*\*\Z|\*+|\?|\[[!^]?\]?[^\]]*\]|\\.|[{}]|.", re.DOTALL)
_MEANINGS = {
    b"**/": b"(?:.*/)?",
    b"/**/": b"/(?:.*/)?",
    b"/**": b"/.+",
    b"?": b"[^/]",
    b"{": b"(?:",
    b"}": b")",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    expression: re.Pattern[bytes]
    brings_back: bool

    @classmethod
    def of(cls, line: str) -> Self:
        glob = line.encode(errors="surrogateescape")
        brings_back = glob.startswith(b"!")
        glob = glob[1:] if brings_back else glob
        is_anchored = b"/" in glob.rstrip(b"/")
        if glob.startswith((b"\\!", b"\\#")):
            glob = glob[1:]
        # Folders alone are asked about, so a slash at the end changes nothing.
        glob = glob.removeprefix(b"/").removesuffix(b"/")
        anywhere = b"" if is_anchored else b"(?:.*/)?"
        expression = b"".join(map(_meaning, _TOKEN.findall(glob)))
        return cls(expression=re.compile(anywhere + expression, re.DOTALL), brings_back=brings_back)


def is_left_out(folder: bytes, patterns: tuple[str, ...]) -> bool:
    """Return whether patterns as in gitignore leave out a folder, or one that it lies in.

    `folder` is relative to the source; `patterns` are those that the engine took.
    """
    rules = _rules(patterns)
    names = folder.split(b"/")
    return any(_matches(b"/".join(names[:depth]), rules) for depth in range(1, len(names) + 1))


@lru_cache(maxsize=1)
def _rules(patterns: tuple[str, ...]) -> tuple[_Pattern, ...]:
    """Return the patterns as they are asked: one source has thousands of mounts, say."""
    return tuple(_Pattern.of(line) for line in patterns if not line.startswith("#"))


def _matches(path: bytes, rules: tuple[_Pattern, ...]) -> bool:
    """Return what the last pattern that fits says; nothing below a folder can be brought back."""
    fitting = [rule for rule in rules if rule.expression.fullmatch(path)]
    return bool(fitting) and not fitting[-1].brings_back


def _meaning(token: bytes) -> bytes:
    if token in _MEANINGS:
        return _MEANINGS[token]
    if token.startswith(b"*"):
        return b"[^/]*"
    if token.startswith(b"[") and len(token) > 1:
        negation = b"^" if token[1:2] in {b"!", b"^"} else b""
        letters = re.sub(rb"[\\\[\]&~|^]", rb"\\\g<0>", token[1 + len(negation) : -1])
        return b"[" + negation + letters + b"]"
    return re.escape(token[-1:])
