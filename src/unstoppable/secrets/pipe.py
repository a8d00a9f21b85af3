"""Secrets that whoever started this process hands over through a pipe.

So they stand in no argument, environment or file that anybody else could read.
"""

import json
import os
import select
import time
from pathlib import Path

from unstoppable.domain.secret_errors import SecretsNotTaken

_FIRST = 3
"""Those below are stdin, stdout and stderr."""
_MOST_BYTES = 256 * 1024
_DEADLINE_SECONDS = 10.0
_CHUNK_BYTES = 65_536


def take(descriptor: int, *, deadline_seconds: float = _DEADLINE_SECONDS) -> dict[str, str]:
    """Return the values by their settings' names, and close the pipe.

    Raises SecretsNotTaken for what is no pipe, for a writer that does not close it in time, and
    for anything but a JSON object of texts.
    """
    if not _is_pipe(descriptor):
        raise SecretsNotTaken(descriptor=descriptor, reason="it is no pipe that was passed on")
    try:
        return _parsed(_read(descriptor, time.monotonic() + deadline_seconds))
    except _Unfit as error:
        raise SecretsNotTaken(descriptor=descriptor, reason=error) from None
    finally:
        os.close(descriptor)


class _Unfit(Exception):
    """What is wrong, in words that hold nothing of what was read."""


def _is_pipe(descriptor: int) -> bool:
    """Return whether it is a pipe without a name: one that has a name others can open."""
    if descriptor < _FIRST:
        return False
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith("pipe:")
    except OSError:
        return False


def _read(descriptor: int, until: float) -> bytes:
    content, poll = bytearray(), select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(content) <= _MOST_BYTES:
        left = until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise _Unfit("it was not closed in time")
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except OSError:
            raise _Unfit("it is not its reading end") from None
        if not chunk:
            return bytes(content)
        content += chunk
    raise _Unfit("it brings more than 256 KiB")


def _parsed(content: bytes) -> dict[str, str]:
    try:
        pairs = json.loads(content.decode(), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        raise _Unfit("it brings no JSON") from None
    if not isinstance(pairs, tuple):
        raise _Unfit("it brings no JSON object")
    if not all(isinstance(value, str) and _is_unicode(name + value) for name, value in pairs):
        raise _Unfit("it brings a value that is no text")
    if len(dict(pairs)) < len(pairs):
        raise _Unfit("it brings a name twice")
    return dict(pairs)


def _is_unicode(text: str) -> bool:
    """Return whether it holds no half of a character, which JSON can write."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
