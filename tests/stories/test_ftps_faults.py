"""Servers that do what none should: each fault is told, and nothing else suffers from it."""

from collections.abc import Iterator

from tests.stories.site import Site

MORE_THAN_A_LISTING_MAY_HAVE = 257
"""In MiB."""


def endless() -> Iterator[bytes]:
    """Yield a listing that no folder has."""
    line = b"type=file;size=1;modify=20260101000000; " + b"x" * 982 + b"\r\n"
    yield from (line * 1024 for _ in range(MORE_THAN_A_LISTING_MAY_HAVE))


def test_a_listing_without_end_fails_its_folder_and_no_other(tmp_path, scripted):
    def listed(*lines: bytes) -> Iterator[bytes]:
        yield from (line + b"\r\n" for line in lines)

    folder, file = b"type=dir; ", b"type=file;size=5;modify=20260101000000; "
    server = scripted(
        {
            "/": lambda: listed(folder + b"a quiet one", folder + b"endless", folder + b"quiet"),
            "/endless": endless,
            "/a quiet one": lambda: listed(file + b"file"),
            "/quiet": lambda: listed(file + b"file"),
        },
        {
            "/a quiet one/file": lambda: iter([b"other"]),
            "/quiet/file": lambda: iter([b"quiet"]),
        },
    )
    site = Site(tmp_path, server)

    summary = site.backup(site.source(connections=1))
    back = site.restored(summary)

    assert [(issue.kind, issue.path) for issue in summary.issues] == [("listing", b"endless")]
    assert "its listing has more than" in summary.issues[0].message
    assert (back / "quiet/file").read_text() == "quiet"
    assert (back / "a quiet one/file").read_text() == "other"
