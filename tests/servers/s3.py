"""A real S3 server of the story's own: versitygw, with users and policies."""

import json
import os
import re
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

_BUILD = Path(__file__).with_name("versitygw")
_START_SECONDS = 20
DOMAIN = "localhost"
"""Below this name a server takes a bucket's name for a part of its own."""
REGION = "us-east-1"


@dataclass(frozen=True)
class Credential:
    """An access key."""

    key_id: str
    secret: str = field(repr=False)

    @property
    def settings(self) -> dict[str, str]:
        """What the program is told of it."""
        return {
            "UNSTOPPABLE_S3_ACCESS_KEY_ID": self.key_id,
            "UNSTOPPABLE_S3_SECRET_ACCESS_KEY": self.secret,
        }


@dataclass(frozen=True)
class Certificate:
    """What a server on loopback shows, and whom to trust for it; all PEM files."""

    authority: Path
    chain: Path
    key: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        names: str = "IP:127.0.0.1",
        *,
        made: str = "now",
        is_signed: bool = True,
    ) -> "Certificate":
        """Make an authority, and a certificate for 127.0.0.1 that is good for two days.

        `made` is when, as faketime reads it; who is not signed has nothing from the authority.
        """
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        new_key = ("openssl", "req", "-x509", *kind, "-nodes", "-days", "2")
        files = cls(*(folder / name for name in ("authority.pem", "chain.pem", "key.pem")))
        authority_key = folder / "authority-key.pem"
        by = ("-CA", files.authority, "-CAkey", authority_key) if is_signed else ()
        shown = ("-addext", f"subjectAltName={names}", "-addext", "basicConstraints=CA:FALSE")
        at = () if made == "now" else ("faketime", made)
        for argv in (
            (*new_key, "-keyout", authority_key, "-out", files.authority, "-subj", "/CN=tests"),
            (
                *at,
                *new_key,
                "-keyout",
                files.key,
                "-out",
                files.chain,
                "-subj",
                "/CN=server",
                *by,
                *shown,
            ),
        ):
            subprocess.run(argv, check=True, capture_output=True)
        return files


OPERATOR = Credential("operator", "of these tests alone")


class Server(ABC):
    """A server on loopback, and what is asked of it by a client of somebody else's making."""

    endpoint: str
    certificate: "Certificate | None" = None
    """What it shows, where it speaks TLS."""

    @abstractmethod
    def user(self, name: str) -> Credential:
        """Make a user who may do nothing yet."""

    @abstractmethod
    def principal(self, name: str) -> str:
        """Return what a policy calls a user."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    def client(self, credential: Credential = OPERATOR) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=credential.key_id,
            aws_secret_access_key=credential.secret,
            verify=str(self.certificate.authority) if self.certificate else True,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def bucket(self, name: str, policy: Sequence[Mapping[str, object]] = ()) -> None:
        """Make a bucket with versions and locks, and say who may do what there."""
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        if policy:
            self.allow(name, policy)

    def allow(self, bucket: str, policy: Sequence[Mapping[str, object]]) -> None:
        """Say who may do what in a bucket from now on."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(policy)})
        self.client().put_bucket_policy(Bucket=bucket, Policy=document)

    def download(self, bucket: str, prefix: str, folder: Path) -> None:
        """Copy what lies below a prefix into a folder."""
        client = self.client()
        (folder / "keys").mkdir(parents=True)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for found in page["Contents"]:
                path = folder / found["Key"].removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, found["Key"], str(path))

    def place(self, cold: str) -> dict[str, str]:
        """What the program is told of the server, and of cold there."""
        return {
            "UNSTOPPABLE_COLD": cold,
            "UNSTOPPABLE_S3_ENDPOINT": self.endpoint,
            "UNSTOPPABLE_S3_REGION": REGION,
        }


class S3Server(Server):
    """versitygw, which keeps its buckets below a folder."""

    def __init__(self, folder: Path, certificate: Certificate | None = None) -> None:
        self.folder, self.certificate = folder, certificate
        self.program = _program()
        for name in ("buckets", "versions", "users"):
            (folder / name).mkdir()
        self.port = free_port()
        scheme = "https" if certificate else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}"
        self._log = (folder / "log").open("w")
        self._running = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        tls: tuple[str, ...] = ()
        if self.certificate:
            chain, key = self.certificate.chain, self.certificate.key
            tls = ("--cert", str(chain), "--key", str(key))
        argv = (
            *(self.program, "--quiet", "--keep-alive", "--port", f"127.0.0.1:{self.port}", *tls),
            *("--access-log", str(self.folder / "requests")),
            *("--virtual-domain", f"{DOMAIN}:{self.port}"),
            *("--iam-dir", str(self.folder / "users"), "posix"),
            *("--versioning-dir", str(self.folder / "versions"), str(self.folder / "buckets")),
        )
        environment = {"ROOT_ACCESS_KEY": OPERATOR.key_id, "ROOT_SECRET_KEY": OPERATOR.secret}
        return subprocess.Popen(
            argv,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def await_answer(self) -> None:
        """Wait until it answers; what it said is shown where it does not."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._running.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """End it; its buckets stay."""
        self._running.kill()
        self._running.wait()

    def start_again(self) -> None:
        """Start it where it was."""
        self._running = self._start()
        self.await_answer()

    def close(self) -> None:
        self.stop()
        self._log.close()

    def user(self, name: str) -> Credential:
        credential = Credential(name, f"secret of {name}")
        argv = (
            *(self.program, "admin", "--endpoint-url", self.endpoint),
            *("--access", OPERATOR.key_id, "--secret", OPERATOR.secret),
            *(("--allow-insecure",) if self.certificate else ()),
            "create-user",
            *("--access", name, "--secret", credential.secret, "--role", "user"),
        )
        subprocess.run(argv, check=True, capture_output=True)
        return credential

    def principal(self, name: str) -> str:
        return name

    def requests(self, doing: Callable[[], object]) -> list[str]:
        """Return what is asked while something is done: method, then key or prefix and its size.

        Names of objects are their kinds: `PUT data/ID`, `LIST index/`.
        """
        log = self.folder / "requests"
        before = log.stat().st_size if log.exists() else 0
        doing()
        return [_request(line) for line in log.read_text()[before:].splitlines()]


def allow(user: str, bucket: str, action: str, *keys: str) -> dict[str, object]:
    """Return a statement that lets a user do something with these keys, or with the bucket."""
    resources = [f"arn:aws:s3:::{bucket}/{key}" for key in keys] or [f"arn:aws:s3:::{bucket}"]
    principal = {"AWS": [user]}
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resources}


def _request(line: str) -> str:
    """Return what a line of the server's log tells of a request."""
    found = re.search(r" s3_(\w+) (\S+) (\S+) (\d+) ", line)
    assert found, line
    action, key, target, status = found.groups()
    names = {"ListObjectsV2": "LIST", "GetObject": "GET", "PutObject": "PUT"}
    if action == "ListObjectsV2":
        key = re.findall(r"[?&]prefix=([^&]*)", target)[0]
    told = re.sub(r"(\b[0-9a-f]{2}/)?[0-9a-f]{64}", "ID", key)
    return f"{names.get(action, action)} {told}" + (
        "" if status in {"200", "206"} else f" {status}"
    )


def _program() -> str:
    if built_before := os.environ.get("VERSITYGW"):
        return built_before
    built = subprocess.run((_BUILD,), stdout=subprocess.PIPE, text=True, check=True)
    return built.stdout.strip()


def free_port() -> int:
    """Return a port of loopback that nobody listens at just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def s3_with_tls(tmp_path: Path) -> Iterator[tuple[S3Server, Certificate]]:
    """An S3 server that shows a certificate of an authority of its own."""
    certificate = Certificate.make(tmp_path)
    server = S3Server(tmp_path, certificate)
    try:
        server.await_answer()
        yield server, certificate
    finally:
        server.close()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    """An S3 server without buckets."""
    server = S3Server(tmp_path)
    try:
        server.await_answer()
        yield server
    finally:
        server.close()
