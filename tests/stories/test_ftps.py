"""A folder of an FTPS server as a source: what is there comes back, and what does not is told."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import unstoppable_engine as engine

from tests.servers.ftps import Proftpd, Pyftpd
from tests.servers.ftps_server import FtpsServer

BIRTH = engine.Birth("acme", "www", 1)
KEY = engine.derive_repository_key(engine.generate_root_secret(), BIRTH)


class Site:
    """A repository for what a server has."""

    def __init__(self, folder: Path, server: FtpsServer) -> None:
        self.folder, self.server = folder, server
        self.places: dict[str, Any] = {"cold": str(folder / "cold"), "hot": str(folder / "hot")}
        now = int(time.time())
        engine.create_repository(**self.places, key=KEY, birth=BIRTH, created_at_seconds=now)

    def source(self, path: str | bytes = "/", **changed: Any) -> engine.Ftps:
        server = self.server
        usual: dict[str, Any] = {
            "user": server.user,
            "password": server.password,
            "port": server.port,
            "authorities": server.certificate.authority.read_bytes(),
        }
        return engine.Ftps(server.host, path, **(usual | changed))

    def backup(self, source: engine.Ftps | None = None) -> engine.BackupSummary:
        opened = engine.Repository.open(**self.places, key=KEY, pins=None, mode="append")
        now = int(time.time())
        return opened.backup(source or self.source(), run_id="a run", started_at_seconds=now)

    def restored(self, summary: engine.BackupSummary) -> Path:
        opened = engine.Repository.open(**self.places, key=KEY, pins=None, mode="read")
        back = self.folder / f"back-{summary.snapshot_id[:8]}"
        opened.restore(summary.snapshot_id, str(back))
        return back


@pytest.fixture
def site(tmp_path: Path, ftps: FtpsServer) -> Site:
    return Site(tmp_path, ftps)


def fill(root: Path) -> None:
    """Make what a website has, and names that are not UTF-8."""
    for number in range(150):
        folder = root / f"folder {number % 7}/{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"page {number}.html").write_bytes(os.urandom(number * 50))
    (root / "large").write_bytes(os.urandom(9_000_000))
    (root / "empty").touch()
    (root / "nothing in it").mkdir()
    (root / ".hidden").write_text("seen\n")
    for name in (
        b" spaces ",
        b"caf\xc3\xa9",
        b"-rf",
        b"a",
        b"a-b",
        b"a.txt",
        b"*?[x]",
        b"semi;colon",
    ):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def found(root: Path) -> dict[bytes, bytes | None]:
    """Return each path below a folder with its content, None for folders."""
    return {
        os.fsencode(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


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
