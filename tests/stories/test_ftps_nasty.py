"""What real servers do to names, links, modes and times: in the snapshot, told, or known.

What a server hides nobody can store or tell; it stands here.
"""

import os
from pathlib import Path

import pytest

from tests.servers.ftps import KINDS, Proftpd, PureFtpd, Pyftpd, Vsftpd
from tests.servers.nasty import MOMENTS, make_nasty
from tests.stories.site import Site

LEADS_NOWHERE = {
    "links/to-nothing",
    "links/out-of-the-root",
    "links/above-the-root",
    "links/to-arrow",
    "loops/itself",
    "loops/ping",
    "loops/pong",
}
CONTROLS = {
    "controls/new\nline",
    "controls/carriage\rreturn",
    "controls/tab\there",
    "controls/escape\x1b[31m",
    "controls/folder\n",
    "controls/folder\n/inside",
}
NOT_UTF8 = {
    os.fsdecode(b"encodings/" + name)
    for name in (b"latin-\xe9", b"\xff", b"\xff\xff", b"\xe9t\xe9", b"\xe9t\xe9/\xe0")
}
HIDDEN = {
    Vsftpd: set[str](),
    Proftpd: LEADS_NOWHERE,
    PureFtpd: CONTROLS,
    # It lists them with question marks, under which they are told.
    Pyftpd: LEADS_NOWHERE - {"links/out-of-the-root", "links/above-the-root"} | NOT_UTF8,
}
"""What a server does not list, and so nobody can tell."""
INVENTED = {Pyftpd: {"encodings/?t?", "links/to-folder/inside"}}
"""What a server lists that is not there under that name: what it follows links to, and so on."""


def paths(root: Path) -> set[str]:
    """Return every path below a folder."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def is_told(path: str, told: set[str]) -> bool:
    """Return whether an issue is about a path, or about a folder that it lies in."""
    return any(str(above) in told for above in (Path(path), *Path(path).parents))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_all_of_a_nasty_tree_is_stored_or_told(tmp_path, served, serve, kind):
    # Thousands of files more show nothing more; pyftpdlib gives a pipe as a file without an end.
    make_nasty(served, without=("many", "specials") if kind is Pyftpd else ("many",))
    site = Site(tmp_path, serve(kind))

    summary = site.backup()
    back = site.restored(summary)

    told = {os.fsdecode(issue.path) for issue in summary.issues}
    missing = {path for path in paths(served) - paths(back) if not is_told(path, told)}
    assert missing == HIDDEN[kind]
    assert paths(back) - paths(served) == INVENTED.get(kind, set())
    for path in paths(served) & paths(back):
        one, other = served / path, back / path
        if other.is_file() and not other.is_symlink():
            assert one.read_bytes() == other.read_bytes(), path
    for moment in MOMENTS:
        stored = back / f"times/{moment:%Y-%m-%d}"
        assert stored.stat().st_mtime == moment.timestamp(), stored
