"""Ceph RGW's opinion of what versitygw is asked every day: the bucket, its roles, and a backup.

`./check --full` alone runs this, which installs ceph-mon, ceph-osd, ceph-common and radosgw.
What RGW 16 does otherwise than AWS stands here as it was measured, and in docs/bucket.md: where a
newer one does better, a test fails and both change.
"""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers.rgw import Rgw
from tests.servers.s3 import OPERATOR, Credential
from tests.stories.roles import LOOK, MAY, ROLES, R, allowed, before_its_bucket, fill
from tests.stories.world import Machine, differences

ROOT = Path(__file__).parents[2]
SUITE_SECONDS = 1200
PACK = R + "data/ab/" + "ab" * 32
MADE = "the bucket, with versions and Object Lock: done\nthe default lock: done\nthe lifecycle: "


@pytest.fixture(scope="module")
def rgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rgw]:
    """A server without buckets. Each test has one of its own: what is locked there stays."""
    server = Rgw(tmp_path_factory.mktemp("rgw"))
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def bucket() -> str:
    return f"acme-{secrets.token_hex(4)}"


@pytest.fixture
def carol(alice: Machine, rgw: Rgw, bucket: str) -> Machine:
    return before_its_bucket(alice, rgw, bucket)


@pytest.fixture
def grant(carol: Machine, rgw: Rgw) -> Callable[..., list[Credential]]:
    """Makes the bucket for a user of each role; returns their access keys."""

    def granted(*roles: str) -> list[Credential]:
        users = [rgw.user(role) for role in roles]
        given = [f"--principal={role}={rgw.principal(role)}" for role in roles]
        made = carol.done("bucket", "create", *given)
        assert made == f"{MADE}done\nthe bucket's policy: done\n"
        checked = carol.run("bucket", "check", *given)
        assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
        return users

    return granted


def put(client: Any, bucket: str, key: str = PACK, **more: object) -> str:
    """Put an object; returns its version."""
    done = client.put_object(Bucket=bucket, Key=key, Body=b"x", ChecksumAlgorithm="CRC32", **more)
    version: str = done["VersionId"]
    return version


def locked(days: int) -> dict[str, object]:
    until = datetime.now(UTC) + timedelta(days=days)
    return {"Mode": "COMPLIANCE", "RetainUntilDate": until}


def refusal(act: Callable[..., object], **arguments: object) -> str:
    """Return how the server refuses something, which it must."""
    with pytest.raises(ClientError) as refused:
        act(**arguments)
    code: str = refused.value.response["Error"]["Code"]
    return code


def test_a_bucket_is_made_once_and_then_is_as_it_should_be(carol, bucket):
    before = carol.run("bucket", "check")
    made = carol.done("bucket", "create")
    again = carol.done("bucket", "create")
    checked = carol.done("bucket", "check")

    assert before.returncode == 1
    assert f"error: there is no bucket {bucket} at " in before.stderr
    assert made == f"{MADE}done\n"
    assert again == (
        "the bucket, with versions and Object Lock: was there\nthe default lock: was so\n"
        "the lifecycle: was so\n"
    )
    assert checked == f"bucket {bucket}: as it should be\n"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_it_needs_and_no_more(grant, rgw, bucket, role):
    (credential,) = grant(role)
    fill(rgw.client(), bucket)

    assert allowed(rgw.client(credential), bucket) == {**MAY, "extender": LOOK}[role]


def test_a_user_without_its_arn_may_do_nothing(carol, rgw, bucket):
    user = rgw.user("reader")
    assert carol.done("bucket", "create", "--principal", "reader=reader").endswith("done\n")
    fill(rgw.client(), bucket)

    assert allowed(rgw.client(user), bucket) == set()


def test_the_lock_is_on_each_object_and_holds_against_the_operator(carol, rgw, bucket):
    carol.done("bucket", "create")
    operator = rgw.client()
    what = {"Bucket": bucket, "Key": PACK, "VersionId": put(operator, bucket)}

    lock = operator.get_object_retention(**what)["Retention"]
    assert lock["Mode"] == "COMPLIANCE"
    assert timedelta(days=44) < lock["RetainUntilDate"] - datetime.now(UTC) < timedelta(days=46)
    assert refusal(operator.delete_object, **what) == "AccessDenied"
    assert refusal(operator.put_object_retention, **what, Retention=locked(31)) == "AccessDenied"
    suspended = {"Status": "Suspended"}
    switch = operator.put_bucket_versioning
    assert refusal(switch, Bucket=bucket, VersioningConfiguration=suspended) == "InvalidBucketState"


def test_a_writer_owns_what_it_wrote(carol, grant, rgw, bucket):
    """To RGW the owner of an object may do with it what nothing denies."""
    (credential,) = grant("writer")
    writer = rgw.client(credential)
    what = {"Bucket": bucket, "Key": PACK}
    version = put(writer, bucket)

    # Nothing denies these.
    assert writer.get_object(**what)["Body"].read() == b"x"
    writer.put_object_acl(**what, ACL="public-read")
    long = locked(3000)
    until = {"ObjectLockMode": long["Mode"], "ObjectLockRetainUntilDate": long["RetainUntilDate"]}
    put(writer, bucket, PACK + "1", **until)
    # The plan denies these.
    assert refusal(writer.put_object_retention, **what, Retention=locked(3000)) == "AccessDenied"
    assert refusal(writer.delete_object, **what) == "AccessDenied"
    assert refusal(writer.delete_object, **what, VersionId=version) == "AccessDenied"
    carol.extra |= credential.settings
    told = carol.run("bucket", "check", "--as", "writer")
    assert told.returncode == 1
    assert "writer may read a pack, and should not\n" in told.stdout
    assert f"bucket {bucket}: 1 wrong right\n" in told.stdout


@pytest.mark.parametrize("days", [10, 60, 100, 200])
def test_an_extender_may_lengthen_nothing_since_its_limits_are_not_known(grant, rgw, bucket, days):
    (extender,) = grant("extender")
    version = put(rgw.client(), bucket)
    what = {"Bucket": bucket, "Key": PACK, "VersionId": version}

    lengthen = rgw.client(extender).put_object_retention
    assert refusal(lengthen, **what, Retention=locked(days)) == "AccessDenied"


def test_a_condition_holds_in_a_bucket_without_versions_alone(rgw, bucket):
    client = rgw.client()
    what = {"Key": PACK, "Body": b"other", "IfNoneMatch": "*"}
    rgw.bucket(bucket)
    client.create_bucket(Bucket=f"{bucket}-plain")
    for name in (bucket, f"{bucket}-plain"):
        client.put_object(Bucket=name, Key=PACK, Body=b"x")

    assert refusal(client.put_object, Bucket=f"{bucket}-plain", **what) == "PreconditionFailed"
    newer = client.put_object(Bucket=bucket, **what)["VersionId"]
    versions = client.list_object_versions(Bucket=bucket)["Versions"]
    assert [each["VersionId"] == newer for each in versions] == [True, False]


def test_of_the_checksums_of_an_upload_only_md5_is_compared(rgw, bucket):
    client = rgw.client()
    rgw.bucket(bucket)
    what = {"Bucket": bucket, "Key": PACK, "Body": b"x"}

    client.put_object(**what, ChecksumCRC32="AAAAAA==")
    assert refusal(client.put_object, **what, ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==") == "BadDigest"


def test_what_the_strict_writer_stores_comes_back_as_it_was(carol, grant, rgw, bucket):
    creator, writer, reader = grant("creator", "writer", "reader")
    carol.env_file.unlink()
    carol.extra |= creator.settings
    carol.done("init", str(carol.data))
    carol.extra |= writer.settings
    carol.write("letters/carol.txt", "dear carol\n")
    carol.write("large", os.urandom(20_000_000))

    stored = carol.done("backup")
    carol.extra |= reader.settings
    back = carol.restored()

    assert stored.startswith(f"stored: {carol.data} (4 files")
    assert differences(carol.data, back) == ""
    assert carol.done("check", "--read-data", "all").startswith("whole: ")
    versions = rgw.client().list_object_versions(Bucket=bucket)
    assert all(each["IsLatest"] for each in versions["Versions"]), "nothing was overwritten"
    assert "DeleteMarkers" not in versions


def test_the_engine_keeps_to_its_suite(rgw, bucket):
    rgw.bucket(bucket)
    place = {
        "S3_ENDPOINT": rgw.endpoint,
        "S3_BUCKET": bucket,
        "S3_ACCESS_KEY_ID": OPERATOR.key_id,
        "S3_SECRET_ACCESS_KEY": OPERATOR.secret,
        "S3_IGNORES_CONDITIONS": "yes",
    }
    cargo = ("cargo", "test", "--manifest-path", "engine/Cargo.toml", "--release", "--locked")

    done = subprocess.run(
        (*cargo, "--test", "conformance", "suite::"),
        cwd=ROOT,
        env={**os.environ, **place},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )

    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "test result: ok. 10 passed" in done.stdout
    found = rgw.client().list_objects_v2(Bucket=bucket, MaxKeys=1)
    assert found["KeyCount"] == 1, "the suite was there"
