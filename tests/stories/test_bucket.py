"""The bucket that cold is: made, looked at, and what each role may do there."""

import json
from typing import Any

import pytest

from tests.servers.s3 import OPERATOR, Credential, S3Server
from tests.stories.roles import MAY, PACK, ROLES, allowed, before_its_bucket, fill
from tests.stories.world import Machine

BUCKET = "acme-backups"
DONE = "the bucket, with versions and Object Lock: done"


@pytest.fixture
def carol(alice: Machine, s3: S3Server) -> Machine:
    return before_its_bucket(alice, s3, BUCKET)


def test_a_bucket_is_made_once_and_then_is_as_it_should_be(carol, s3):
    before = carol.run("bucket", "check")
    made = carol.run("bucket", "create")
    again = carol.run("bucket", "create")
    checked = carol.run("bucket", "check")

    assert before.returncode == 1
    assert f"error: there is no bucket {BUCKET} at {s3.endpoint}\nhint: `unst" in before.stderr
    # This server has no lifecycle, and says so.
    assert made.returncode == again.returncode == 3
    assert made.stdout == (
        f"{DONE}\nthe default lock: done\nthe lifecycle: the server does not know it\n"
    )
    assert again.stdout == (
        "the bucket, with versions and Object Lock: was there\nthe default lock: was so\n"
        "the lifecycle: the server does not know it\n"
    )
    assert checked.returncode == 1
    assert checked.stdout == (
        f"the lifecycle is not known: the server does not know it\nbucket {BUCKET}: 1 difference\n"
    )
    lock = s3.client().get_object_lock_configuration(Bucket=BUCKET)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Days": 45}


def test_a_longer_lock_stays_and_a_shorter_one_is_lengthened(carol, s3):
    carol.run("bucket", "create", "--locked-days", "60")
    carol.run("bucket", "create", "--locked-days", "31")

    def days() -> int:
        found = s3.client().get_object_lock_configuration(Bucket=BUCKET)
        kept: int = found["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Days"]
        return kept

    assert days() == 60
    told = carol.run("bucket", "create", "--locked-days", "90", "--dry-run").stdout
    assert "the default lock is 60 days of COMPLIANCE, not 90 days of COMPLIANCE\n" in told
    carol.run("bucket", "create", "--locked-days", "90")
    assert days() == 90


def test_a_bucket_without_versions_and_locks_is_told(carol, s3):
    s3.client().create_bucket(Bucket=BUCKET)

    told = carol.run("bucket", "check").stdout

    assert "versioning is not on: an overwritten object is lost\n" in told
    assert "Object Lock is not on, and only a new bucket gets it\n" in told
    assert "the default lock is missing: nothing locks new objects\n" in told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"UNSTOPPABLE_S3_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ({"UNSTOPPABLE_S3_ENDPOINT": "http://127.0.0.1:1"}, "Could not connect to the endpoint"),
    ],
)
def test_a_server_that_refuses_is_one_sentence_and_the_way_out(carol, settings, told):
    carol.extra |= settings

    result = carol.run("bucket", "create")

    assert result.returncode == 1
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 2
    assert "\nhint: is the endpoint right, and has the access key" in result.stderr


def test_a_folder_is_no_bucket(alice):
    alice.env_file.parent.mkdir(mode=0o700)
    alice.env_file.touch(mode=0o600)
    for command in ("plan", "create", "check"):
        result = alice.run("bucket", command)
        assert result.returncode == 2
        assert result.stderr.startswith(f"error: cold is the folder {alice.cold}, not a bucket\n")


# This server knows no conditions, and the extender's policy sets limits by them.
@pytest.mark.parametrize("role", [role for role in ROLES if role != "extender"])
def test_a_role_may_do_what_it_needs_and_no_more(carol, s3, role):
    credential = s3.user(role)
    made = carol.run("bucket", "create", "--principal", f"{role}={role}")
    assert "the bucket's policy: done\n" in made.stdout, (made.stdout, made.stderr)
    fill(s3.client(), BUCKET)

    assert allowed(s3.client(credential), BUCKET) == MAY[role]


def test_a_policy_that_the_server_does_not_take_is_told(carol):
    made = carol.run("bucket", "create", "--principal", "extender=operator")

    told = "the bucket's policy: the server does not take it: Policy has an invalid condition key\n"
    assert told in made.stdout
    assert made.returncode == 3


def test_another_policy_stays(carol):
    carol.run("bucket", "create", "--principal", "reader=operator")
    made = carol.run("bucket", "create", "--principal", "writer=operator")

    assert "the bucket's policy: there is another one, which stays; merge" in made.stdout
    assert made.returncode == 3
    told = carol.run("bucket", "check", "--principal", "writer=operator").stdout
    assert "the bucket's policy is not the planned one\n" in told
    assert (
        "bucket's policy"
        not in carol.run("bucket", "check", "--principal", "reader=operator").stdout
    )


def write(carol: Machine, credential: Credential, role: str) -> Any:
    """Return what the program finds of the rights of an access key."""
    carol.extra |= credential.settings
    result = carol.run("bucket", "check", "--as", role, "--json")
    return result.returncode, json.loads(result.stdout)["wrong"], result.stderr


def test_a_writer_with_the_rights_of_its_role_is_told_from_one_with_more(carol, s3):
    names = {role: s3.user(role) for role in ("writer", "convenient-writer")}
    given = [word for role in names for word in ("--principal", f"{role}={role}")]
    carol.run("bucket", "create", *given)
    s3.client().put_object(Bucket=BUCKET, Key=PACK, Body=b"x", ChecksumAlgorithm="CRC32")

    assert write(carol, names["writer"], "writer") == (0, [], "")
    assert write(carol, names["convenient-writer"], "convenient-writer") == (0, [], "")
    assert write(carol, names["convenient-writer"], "writer") == (1, ["read a pack"], "")
    code, wrong, _ = write(carol, OPERATOR, "writer")
    assert code == 1
    assert set(wrong) == {"read a pack", "delete an object", "change versioning"}
    told = carol.run("bucket", "check", "--as", "writer").stdout
    assert "operator may delete an object, and should not\n" in told
    assert "operator may not delete a version\n" in told, "the lock holds"


def test_the_writer_of_the_plan_makes_backups(carol, s3):
    writer = s3.user("writer")
    carol.run("bucket", "create", "--principal", "writer=writer")
    carol.env_file.unlink()
    carol.done("init", str(carol.data))
    carol.extra |= writer.settings
    carol.write("new", "something new\n")

    assert carol.done("backup").startswith("stored: ")
    assert carol.run("restore", "--to", str(carol.root / "back")).returncode == 1
