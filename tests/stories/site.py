"""What a customer has on a server, a repository for it, and the engine between them."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import unstoppable_engine as engine

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
            # Else a file of a test may happen to be due within its seconds.
            "reread_seconds": 100 * 365 * 24 * 60 * 60,
        }
        return engine.Ftps(server.host, path, **(usual | changed))

    def backup(self, source: engine.Ftps | None = None, **how: Any) -> engine.BackupSummary:
        opened = engine.Repository.open(**self.places, key=KEY, pins=None, mode="append")
        now = int(time.time())
        source = source or self.source()
        return opened.backup(source, run_id="a run", started_at_seconds=now, **how)

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
