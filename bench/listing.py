"""A server that lists a million entries which are not there."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.s3 import Certificate
from tests.servers.scripted import Content, Scripted

PER_FOLDER = 1000
CONTENTS = ("files", "links", "files in one folder")
"""What it may list; of a folder of a million, no snapshot could be read back."""
_FACTS = {
    "files": "type=file;size=0;modify=20231114221320;",
    "links": "type=OS.unix=slink:target;size=6;modify=20231114221320;",
}


def _lines(kind: str, first: int, count: int) -> bytes:
    numbers = range(first, first + count)
    return "".join(f"{_FACTS[kind]} file{number:07}\r\n" for number in numbers).encode()


class Listing(Scripted):
    """Files of no bytes, or links, in folders of a thousand or in one."""

    @classmethod
    @contextmanager
    def serving(cls, folder: Path, content: str, entries: int) -> Iterator["Listing"]:
        """Yield a server of so many entries."""
        kind = content.split(maxsplit=1)[0]
        listings = _flat(kind, entries) if "one folder" in content else _deep(kind, entries)
        empty: Content = lambda: iter(())  # noqa: E731
        server = cls(Certificate.make(folder), listings, defaultdict(lambda: empty))
        try:
            yield server
        finally:
            server.close()


def _flat(kind: str, entries: int) -> dict[str, Content]:
    firsts = range(0, entries, PER_FOLDER)
    return {"/": lambda: (_lines(kind, first, PER_FOLDER) for first in firsts)}


def _deep(kind: str, entries: int) -> dict[str, Content]:
    names = [f"folder{number:04}" for number in range(entries // PER_FOLDER)]
    above = "".join(f"type=dir;modify=20231114221320; {name}\r\n" for name in names).encode()
    below = _lines(kind, 0, PER_FOLDER)
    inside: Content = lambda: iter((below,))  # noqa: E731
    return {"/": lambda: iter((above,))} | {f"/{name}": inside for name in names}
