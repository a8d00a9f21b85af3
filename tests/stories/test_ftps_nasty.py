"""What real servers do to names, links, modes and times: the table in docs/sources.md."""

import os
import re
from pathlib import Path
from stat import S_IMODE

import pytest
import unstoppable_engine as engine

from tests.servers.ftps import KINDS, Pyftpd
from tests.servers.ftps_server import Options
from tests.servers.nasty import make_nasty
from tests.stories.rows import DOCUMENT
from tests.stories.site import Site

HEAD = "of a server"
FOLLOWED = {Pyftpd: {"links/to-folder/inside"}}
"""What is stored of what a link leads to, beside the link."""


def decoded(folder: str, *names: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(folder.encode() + b"/" + name) for name in names)


PLACES = {
    "names with a line break": ("line breaks/new\nline", "line breaks/folder\n"),
    "names with a carriage return": ("carriage returns/carriage\rreturn",),
    "names with other control characters": ("controls/tab\there", "controls/escape\x1b[31m"),
    "names that are not UTF-8": decoded(
        "encodings", b"latin-\xe9", b"\xff", b"\xff\xff", b"\xe9t\xe9"
    ),
    "names with a backslash": decoded("backslashes", b"back\\slash", b"\\", b"ends\\", b"folder\\"),
    "links to files and folders": (
        "links/to-file",
        "links/to-folder",
        "links/arrow -> in its name",
    ),
    "links that lead nowhere, or in a circle": (
        "links/to-nothing",
        "links/to-arrow",
        "loops/itself",
        "loops/ping",
        "loops/pong",
    ),
    "links out of what the server shows": ("links/out-of-the-root", "links/above-the-root"),
    "links to a folder that they lie in": ("loops/folder/upwards",),
    "pipes": ("pipes/fifo",),
    "sockets": ("sockets/socket",),
    "files that may not be read": ("modes/unreadable",),
    "folders that may not be entered or listed": ("modes/000", "modes/311", "modes/644"),
}
"""What of the nasty tree each row is about; all that lies below counts too."""
FACTS = {"permissions", "times of files", "times of links", "times of folders"}


def paths(root: Path) -> set[str]:
    """Return every path below a folder."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def above(path: str) -> list[str]:
    """Return a path, and all folders that it lies in but the root."""
    return [path, *map(str, list(Path(path).parents)[:-1])]


class Outcome:
    """What became of a tree that a server served."""

    def __init__(self, served: Path, back: Path, issues: list[engine.Issue]) -> None:
        self.served, self.back = served, back
        self.told = {os.fsdecode(issue.path): issue.kind for issue in issues}
        self.both = paths(served) & paths(back)

    def row(self, name: str) -> str:
        """Return what stands in a row."""
        if name in FACTS:
            return self.fact(name)
        found = {self.of(path) for path in PLACES[name] if (self.served / path).parent.exists()}
        return ", ".join(sorted(found)) or "not tried"

    def of(self, path: str) -> str:
        """Return what became of something, in a word of the table."""
        one, other = self.served / path, self.back / path
        asked = re.sub(r"[\udc80-\udcff]", "?", path)
        told = [self.told[name] for name in (*above(path), *above(asked)) if name in self.told]
        if told:
            return f"`{told[0]}`"
        if path not in self.both:
            return "hidden"
        if one.is_symlink() and not other.is_symlink():
            return "followed"
        return "yes" if self.is_same(one, other) else "changed"

    @staticmethod
    def is_same(one: Path, other: Path) -> bool:
        if one.is_symlink():
            return other.is_symlink() and one.readlink() == other.readlink()
        if one.is_dir():
            return other.is_dir()
        return other.is_file() and one.read_bytes() == other.read_bytes()

    def fact(self, row: str) -> str:
        """Return whether permissions or times are what they were, wherever something is stored."""
        wanted = row.removeprefix("times of ")
        pairs = [(self.served / path, self.back / path) for path in self.both]
        kinds = {
            "links": [pair for pair in pairs if pair[0].is_symlink()],
            "folders": [pair for pair in pairs if not pair[0].is_symlink() and pair[0].is_dir()],
            "files": [pair for pair in pairs if not pair[0].is_symlink() and pair[0].is_file()],
        }
        if row == "permissions":
            pairs = kinds["files"] + kinds["folders"]
            same = [S_IMODE(a.stat().st_mode) == S_IMODE(b.stat().st_mode) for a, b in pairs]
        else:
            pairs = kinds[wanted]
            same = [int(a.lstat().st_mtime) == int(b.lstat().st_mtime) for a, b in pairs]
        return "yes" if same and all(same) else "no"


def table() -> list[list[str]]:
    """Return the cells of the table, its head first."""
    after = DOCUMENT.read_text().partition(f"\n| {HEAD} ")[2]
    lines = f"| {HEAD} {after}".partition("\n\n")[0].splitlines()
    cells = [re.split(r" *\| *", line)[1:-1] for line in lines]
    return [cells[0], *cells[2:]]


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_server_does_to_a_nasty_tree_what_the_table_says(tmp_path, served, serve, kind, tls):
    # Thousands of files more show nothing more; a pipe halts pyftpdlib.
    make_nasty(served, without=("many", "pipes") if kind is Pyftpd else ("many",))
    site = Site(tmp_path, serve(kind, Options(tls=(tls,))))

    summary = site.backup()

    outcome = Outcome(served, site.restored(summary), summary.issues)
    head, *rows = table()
    for row, cell in [(cells[0], cells[head.index(kind.name)]) for cells in rows]:
        assert cell == outcome.row(row), row
    # The folder of a line break is told as a whole.
    odd = {"line breaks", *(path for places in PLACES.values() for path in places)}
    others = {path for path in paths(served) if not odd & set(above(path))}
    assert {path: outcome.of(path) for path in others if outcome.of(path) != "yes"} == {}
    assert len(others) > 150
    invented = paths(outcome.back) - paths(served) - FOLLOWED.get(kind, set())
    assert invented <= outcome.told.keys(), "names with question marks are told"


def test_the_table_has_a_column_for_each_server_and_a_row_for_each_place():
    head, *rows = table()

    assert head == [HEAD, *(kind.name for kind in KINDS)]
    assert sorted(cells[0] for cells in rows) == sorted(PLACES.keys() | FACTS)
