"""A customer whose cold is a bucket, and who may do what there."""

import re
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from tests.servers.s3 import OPERATOR, Credential, S3Server, allow
from tests.stories.world import Machine

BUCKET = "acme-backups"
COLD = f"s3://{BUCKET}"
REPOSITORY = "default/g1"
WRITTEN = ("snapshots/*", "index/*", "data/*")


class Acme:
    """Alice's machine, whose cold is a bucket; each role has an access key of its own."""

    def __init__(self, machine: Machine, server: S3Server, source: str = "") -> None:
        self.machine, self.server = machine, server
        self.writer, self.reader = server.user("writer"), server.user("reader")
        server.bucket(BUCKET, self.rights(WRITTEN))
        machine.extra |= server.place(COLD)
        made = machine.run("init", source or str(machine.data), settings=OPERATOR.settings)
        assert made.returncode == 0, made.stderr
        # From here on the settings file alone says everything, with the writer's credential.
        machine.extra = {}
        self.give(self.writer)

    @staticmethod
    def rights(written: Sequence[str]) -> list[Mapping[str, object]]:
        """Return a policy by which the writer may put such objects."""
        below = f"{REPOSITORY}/"
        read = ["config", "unstoppable.json", "snapshots/*", "index/*"]
        return [
            allow("writer", BUCKET, "s3:ListBucket"),
            allow("writer", BUCKET, "s3:GetObject", *(below + key for key in read)),
            allow("writer", BUCKET, "s3:PutObject", *(below + key for key in written)),
            allow("reader", BUCKET, "s3:ListBucket"),
            allow("reader", BUCKET, "s3:GetObject", "*"),
        ]

    def give(self, credential: Credential) -> None:
        """Have the settings file hold this credential."""
        file = self.machine.env_file
        kept = re.sub(r"(?m)^UNSTOPPABLE_S3_(SECRET_)?ACCESS_KEY.*\n", "", file.read_text())
        told = "".join(f"{name}='{value}'\n" for name, value in credential.settings.items())
        file.write_text(kept + told)

    def run(
        self, *arguments: str, credential: Credential | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the program, with nothing in its environment but a credential."""
        return subprocess.run(
            self.machine.argv(*arguments),
            env=self._environment(credential),
            cwd=self.machine.home,
            capture_output=True,
            text=True,
            check=False,
        )

    def started(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the program to be killed: it measures no coverage."""
        environment = self._environment(None)
        kept = {n: value for n, value in environment.items() if not n.startswith("COVERAGE_")}
        quiet = subprocess.DEVNULL
        argv = self.machine.argv(*arguments)
        return subprocess.Popen(argv, env=kept, cwd=self.machine.home, stdout=quiet, stderr=quiet)

    def _environment(self, credential: Credential | None) -> dict[str, str]:
        environment = self.machine.environment(credential.settings if credential else {})
        for name in ("UNSTOPPABLE_HOT", "UNSTOPPABLE_COLD", "UNSTOPPABLE_STATE"):
            del environment[name]
        return environment

    def done(self, *arguments: str, credential: Credential | None = None) -> str:
        """Run the program, which must succeed; returns its stdout."""
        result = self.run(*arguments, credential=credential)
        assert result.returncode == 0, (result.stdout, result.stderr)
        return result.stdout

    def objects(self) -> dict[str, int]:
        """Return what lies in the bucket, with sizes in bytes."""
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", ())}


@pytest.fixture
def acme(alice: Machine, s3: S3Server) -> Acme:
    return Acme(alice, s3)
