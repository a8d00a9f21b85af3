"""Another real S3 server: Ceph RGW over a monitor and a store in memory, all on loopback."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.servers.s3 import OPERATOR, Credential, Server, free_port

PACKAGES = {
    "ceph": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "monmaptool": "ceph-base",
    "radosgw": "radosgw",
    "radosgw-admin": "ceph-common",
}
"""The programs, and the packages of Debian 12 that have them."""
_START_SECONDS = 120
_ATTEMPTS = 20
_IS_TOO_EARLY = re.compile("EPERM|Operation not permitted")
_STORE_BYTES = 4 << 30
_OSD_UUID = "0d5d0000-0000-4000-8000-000000000000"
# One of each, without passwords among themselves, and content with a single copy.
_SETTINGS = """
[global]
fsid = {cluster}
mon host = v1:127.0.0.1:{monitor_port}
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd pool default pg num = 4
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon data = {folder}/mon
mon data avail warn = 1
mon data avail crit = 1
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {store_bytes}
osd memory target = 1073741824
osd max object name len = 256
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
log file = {folder}/run/$name.log
pid file = {folder}/run/$name.pid
ms bind ipv4 = true
ms type = async+posix
[osd.0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable usage log = false
rgw dns name = localhost
keyring = {folder}/keyring
"""


class Rgw(Server):
    """Ceph RGW in a folder; it takes a quarter of a minute to start."""

    def __init__(self, folder: Path) -> None:
        for program, package in PACKAGES.items():
            assert shutil.which(program), f"there is no {program}: apt-get install {package}"
        self.folder = folder
        self.port, self.monitor_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._settings = folder / "ceph.conf"
        self._running: list[subprocess.Popen[bytes]] = []
        self._users: dict[str, Credential] = {}
        for name in ("mon", "osd", "run"):
            (folder / name).mkdir()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        cluster = self._write_settings()
        self._start_monitor(cluster)
        self._start_store(cluster)
        self._start_until(self._answers, "radosgw", "-n", "client.rgw.a")
        self._make_user(OPERATOR)

    def _write_settings(self) -> str:
        cluster = str(uuid.uuid4())
        settings = _SETTINGS.format(
            cluster=cluster,
            folder=self.folder,
            monitor_port=self.monitor_port,
            port=self.port,
            store_bytes=_STORE_BYTES,
        )
        self._settings.write_text(settings)
        return cluster

    def _start_monitor(self, cluster: str) -> None:
        members = str(self.folder / "members")
        address = f"v1:127.0.0.1:{self.monitor_port}"
        self._run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", address, members)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", members)
        self._start_until(self._monitor_listens, "ceph-mon", "-i", "a")
        self._run("ceph", "osd", "stat")

    def _start_store(self, cluster: str) -> None:
        self._make_store(cluster)
        self._run("ceph", "osd", "new", _OSD_UUID)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h")
        self._start_until(self._has_store, "ceph-osd", "-i", "0")

    def _make_store(self, cluster: str) -> None:
        """Make a store of this cluster: one that asks too early is of cluster 0, and of no use."""
        folder = self.folder / "osd"
        for _ in range(_ATTEMPTS):
            self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", _OSD_UUID)
            if (folder / "ceph_fsid").read_text().strip() == cluster:
                return
            shutil.rmtree(folder)
            folder.mkdir()
        raise AssertionError((folder, "does not become a store of cluster", cluster))

    def _monitor_listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.monitor_port)) == 0

    def _has_store(self) -> bool:
        told = json.loads(self._run("ceph", "--format", "json", "osd", "stat"))
        return bool(told["num_up_osds"])

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5):  # noqa: S310 - loopback
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _run(self, program: str, *arguments: str) -> str:
        """Run one of Ceph's programs, which must succeed; returns its stdout.

        Whoever asks a monitor before that told it the cluster's id is refused, and asks again.
        """
        for _ in range(_ATTEMPTS):
            done = subprocess.run(
                (program, "-c", str(self._settings), *arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_START_SECONDS,
                check=False,
            )
            if done.returncode == 0:
                return done.stdout
            if not _IS_TOO_EARLY.search(done.stderr):
                break
        raise AssertionError((program, arguments, done.stdout, done.stderr))

    def _start_until(self, is_well: Callable[[], bool], program: str, *arguments: str) -> None:
        """Start one of Ceph's programs, again where it ends too early as well."""
        running = self._started(program, *arguments)
        until = time.monotonic() + _START_SECONDS
        while not is_well():
            if running.poll() is not None:
                running = self._started(program, *arguments)
            assert time.monotonic() < until, self._said(program)
            time.sleep(0.1)

    def _started(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program in the foreground, so that its process is ours to end."""
        with self._said_in(program).open("a") as log:
            running = subprocess.Popen(
                (program, "-f", "-c", str(self._settings), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.append(running)
        return running

    def _said_in(self, program: str) -> Path:
        return self.folder / f"run/{program}.out"

    def _said(self, program: str) -> str:
        return f"{program} does not start: {self._said_in(program).read_text()[-4000:]}"

    def user(self, name: str) -> Credential:
        if name not in self._users:
            self._users[name] = Credential(name, f"secret of {name}")
            self._make_user(self._users[name])
        return self._users[name]

    def _make_user(self, credential: Credential) -> None:
        name = credential.key_id
        who = ("--uid", name, "--display-name", name)
        key = ("--access-key", name, "--secret-key", credential.secret)
        self._run("radosgw-admin", "-n", "client.rgw.a", "user", "create", *who, *key)

    def principal(self, name: str) -> str:
        """Return what a policy calls a user: an ARN without an account."""
        return f"arn:aws:iam:::user/{name}"

    def close(self) -> None:
        for running in reversed(self._running):
            running.kill()
            running.wait()
