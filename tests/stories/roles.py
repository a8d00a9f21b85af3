"""What each role may do in a bucket, of all that somebody may try there."""

import secrets
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.servers.s3 import OPERATOR, Server
from tests.stories.world import Machine
from unstoppable.domain.bucket_policy import Role

ROLES = [str(role) for role in Role]
R = "www/g1/"
PACK, SNAPSHOT = R + "data/0f/" + "0f" * 32, R + "snapshots/" + "1e" * 32
PROBE = ".unstoppable/probe/x"


def before_its_bucket(machine: Machine, server: Server, bucket: str) -> Machine:
    """Have cold be a bucket that is not there yet, with the operator's access key."""
    machine.extra = {**server.place(f"s3://{bucket}"), **OPERATOR.settings}
    machine.env_file.parent.mkdir(mode=0o700)
    machine.env_file.touch(mode=0o600)
    return machine


def fill(client: Any, bucket: str) -> None:
    """Put what is asked for."""
    for key in (R + "config", PACK, SNAPSHOT, PROBE):
        client.put_object(Bucket=bucket, Key=key, Body=b"x", ChecksumAlgorithm="CRC32")


def allowed(client: Any, bucket: str) -> set[str]:
    """Try everything with one credential; returns what the server did."""
    done = set()
    for name, request in requests(client, bucket).items():
        try:
            request()
            done.add(name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"AccessDenied", "403"}:
                raise
    return done


def requests(client: Any, bucket: str) -> dict[str, Callable[[], object]]:
    """Return what somebody may try, by a name."""
    where = {"Bucket": bucket}
    version = {"VersionId": "01J00000000000000000000000"}
    new = secrets.token_hex(4)

    def put(key: str) -> Callable[[], object]:
        return lambda: client.put_object(**where, Key=key, Body=b"x", ChecksumAlgorithm="CRC32")

    return {
        "list": lambda: client.list_objects_v2(**where, Prefix=R + "snapshots/"),
        "list versions": lambda: client.list_object_versions(**where),
        "get config": lambda: client.get_object(**where, Key=R + "config"),
        "get snapshot": lambda: client.get_object(**where, Key=SNAPSHOT),
        "get pack": lambda: client.get_object(**where, Key=PACK),
        "put config": put(R + "config"),
        "put snapshot": put(f"{R}snapshots/{new}"),
        "put index": put(f"{R}index/{new}"),
        "put pack": put(f"{R}data/00/{new}"),
        "put key": put(f"{R}keys/{new}"),
        "put probe": put(PROBE),
        "put elsewhere": put(new),
        "delete pack": lambda: client.delete_object(**where, Key=PACK),
        "delete pack version": lambda: client.delete_object(**where, Key=PACK, **version),
        "delete probe": lambda: client.delete_object(**where, Key=PROBE),
        "see versioning": lambda: client.get_bucket_versioning(**where),
        "see lock": lambda: client.get_object_lock_configuration(**where),
        "set versioning": lambda: client.put_bucket_versioning(
            **where, VersioningConfiguration={"Status": "Enabled"}
        ),
        "set policy": lambda: client.put_bucket_policy(**where, Policy="{}"),
        "delete bucket": lambda: client.delete_bucket(**where),
    }


READ = {"list", "get config", "get snapshot", "get pack"}
WRITE = {"put snapshot", "put index", "put pack", "put probe"}
LOOK = {*READ, "list versions", "see versioning", "see lock"}
MAY = {
    "creator": {*READ, *WRITE, "put config"},
    "writer": {"list", "get config", "get snapshot", *WRITE},
    "convenient-writer": {*READ, *WRITE},
    "reader": READ,
    "auditor": LOOK,
    "pruner": {*LOOK, "delete pack"},
    "prober": {"list", "list versions", "put probe", "delete probe"},
}
