"""A folder of an FTPS server as a source: what is there comes back, and what does not is told."""

import os

import pytest
import unstoppable_engine as engine

from tests.servers.ftps import Proftpd, Pyftpd
from tests.stories.site import fill, found


def test_what_a_server_has_comes_back_as_it_was(site):
    fill(site.server.root)

    summary = site.backup()
    back = site.restored(summary)

    assert (summary.tags, summary.issues) == ([], [])
    assert found(back) == found(site.server.root)
    assert (back / "large").stat().st_mtime == 1_700_000_000


def test_names_are_bytes(site):
    name = os.fsdecode(b"latin \xe9\xff")
    (site.server.root / name).write_text("one byte each\n")

    summary = site.backup()

    if isinstance(site.server, Pyftpd):
        # It takes names for UTF-8, lists a question mark for each byte of what is none, and does
        # not find the file then.
        assert summary.tags == ["partial"]
        assert [issue.kind for issue in summary.issues] == ["unreadable"]
    else:
        assert summary.issues == []
        assert found(site.restored(summary)) == found(site.server.root)


def test_a_folder_that_may_not_be_read_is_told_and_the_rest_is_stored(site):
    fill(site.server.root)
    closed = site.server.root / "folder 3"
    closed.chmod(0o700)

    summary = site.backup()

    assert summary.tags == ["partial"]
    assert [(issue.kind, issue.path) for issue in summary.issues] == [("listing", b"folder 3")]
    assert (site.restored(summary) / "large").stat().st_size == 9_000_000


def test_a_file_that_may_not_be_read_is_told(site):
    fill(site.server.root)
    (site.server.root / "large").chmod(0o600)

    summary = site.backup()

    assert summary.tags == ["partial"]
    assert [(issue.kind, issue.path) for issue in summary.issues] == [("unreadable", b"large")]
    assert not (site.restored(summary) / "large").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"password": "wrong", "user": "mallory"}, "cannot log in: the server says"),
        (
            {"authorities": None},
            "the server is not trusted: invalid peer certificate: UnknownIssuer",
        ),
        ({"pin": bytes(32)}, "the server is not trusted: invalid peer certificate"),
        ({"path": "/nowhere"}, "cannot enter the folder: the server says"),
        ({"port": 1}, "cannot connect to"),
    ],
)
def test_a_source_that_cannot_be_opened_is_one_sentence(site, changed, told):
    source = site.source(**({"path": "/"} | changed))

    with pytest.raises(engine.SourceUnavailable) as raised:
        site.backup(source)

    assert told in str(raised.value)
    assert site.server.password not in str(raised.value)


def test_a_name_that_leads_to_this_machine_has_to_be_allowed(site):
    source = engine.Ftps("localhost", "/", user="alice", password="", port=site.server.port)

    with pytest.raises(engine.SourceUnavailable, match="which is not on the internet"):
        site.backup(source)


def test_links_lead_where_they_led(site):
    root = site.server.root
    (root / "file").write_text("content\n")
    (root / "folder").mkdir()
    (root / "to a file").symlink_to("file")
    (root / "to a folder").symlink_to("folder")
    (root / "folder" / "up").symlink_to("..")

    summary = site.backup()
    back = site.restored(summary)

    if isinstance(site.server, Pyftpd):
        # It takes a link for what it leads to, and one that leads up for a folder without end.
        assert summary.tags == ["partial"]
        assert {issue.kind for issue in summary.issues} == {"listing"}
        return
    told = [(issue.kind, issue.path) for issue in summary.issues]
    # proftpd tells in the listing for people alone where links lead, and leaves this one out there.
    assert told == ([("unreadable", b"folder/up")] if isinstance(site.server, Proftpd) else [])
    for name in ("to a file", "to a folder"):
        assert (back / name).readlink() == (root / name).readlink()
