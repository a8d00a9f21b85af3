"""Folders of vsftpd are listed many at a time, and nobody's file hides another one."""

import os

import pytest

from tests.servers.ftps import Vsftpd
from tests.servers.ftps_server import FtpsServer
from tests.stories.site import Site, found


@pytest.fixture
def ftps(vsftpd: FtpsServer) -> FtpsServer:
    """Vsftpd alone."""
    return vsftpd


def fill(site: Site) -> None:
    for number in range(40):
        folder = site.server.root / f"folder {number}"
        folder.mkdir()
        for name in ("a", ".b", "c -> d"):
            (folder / name).write_text(f"{number} {name}\n")
            os.utime(folder / name, (1_700_000_000, 1_700_000_000))


def asked(server: FtpsServer, command: str) -> int:
    """Return how often the server was asked for something."""
    assert isinstance(server, Vsftpd)
    return server.log.read_text().count(f'FTP command: Client "127.0.0.1", "{command}')


def test_folders_are_listed_together_without_a_connection_for_each(site):
    fill(site)

    summary = site.backup()
    again = site.backup()

    assert (summary.tags, summary.issues) == ([], [])
    assert found(site.restored(again)) == found(site.server.root)
    assert (again.bytes_read, again.files_unchanged) == (0, 120)
    # Each run's first connection lists the root folder before it is known what the server bears.
    assert asked(site.server, "STAT -a") > 75
    assert asked(site.server, "LIST") < 5


def test_mallory_cannot_hide_files_behind_a_name_that_ends_a_listing(site):
    fill(site)
    # The last one that is listed: nothing follows that would show that answers are missing.
    folder = site.server.root / "folder 9"
    time = "\n213 20200101000000"
    (folder / f"b\n213 End of status{6 * time}").touch()

    summary = site.backup()

    assert summary.tags == ["partial"]
    assert [(issue.kind, issue.path) for issue in summary.issues] == [("listing", b"folder 9")]
    assert (site.restored(summary) / "folder 8/c -> d").read_text() == "8 c -> d\n"


@pytest.mark.parametrize(("mode", "told"), [(0o311, "listing"), (0o600, "listing")])
def test_a_folder_that_may_not_be_listed_is_no_empty_one(site, mode, told):
    fill(site)
    closed = site.server.root / "folder 7"
    closed.chmod(mode)

    summary = site.backup()

    assert [(issue.kind, issue.path) for issue in summary.issues] == [(told, b"folder 7")]
