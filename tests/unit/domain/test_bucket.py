import json
from dataclasses import replace
from pathlib import Path

import pytest

from unstoppable.domain.bucket import (
    BucketFound,
    BucketPlan,
    Lock,
    LockMode,
    Unknown,
    bucket_policy,
    default_lock,
    differences,
    lifecycle,
)
from unstoppable.domain.bucket_policy import Role, identity_policy
from unstoppable.domain.s3 import S3Prefix

VECTOR = json.loads((Path(__file__).parents[2] / "vectors/policies.json").read_text())
PLAN = BucketPlan(
    place=S3Prefix(bucket="acme", prefix="backups"),
    principals={Role.WRITER: ("bob", "alice"), Role.READER: ("carol",)},
)
AS_PLANNED = BucketFound(
    is_versioned=True,
    has_locks=True,
    lock=Lock(mode="COMPLIANCE", days=45),
    lifecycle=lifecycle(PLAN)["Rules"],
    policy=bucket_policy(PLAN),
)
GOVERNED = replace(PLAN, mode=LockMode.GOVERNANCE)


def test_what_is_planned_stands_as_it_was_frozen():
    planned = {
        "object_lock": default_lock(PLAN),
        "lifecycle": lifecycle(PLAN),
        "policies": {str(role): identity_policy(role, PLAN.place) for role in Role},
        "bucket_policy": bucket_policy(PLAN),
    }

    assert planned == VECTOR


def test_no_writer_may_read_delete_or_lock_and_only_the_prober_deletes_a_version():
    def actions(role: Role) -> set[str]:
        found = set()
        for statement in identity_policy(role, PLAN.place)["Statement"]:
            action = statement["Action"]
            found |= {action} if isinstance(action, str) else set(action)
        return found

    for role in (Role.WRITER, Role.CONVENIENT_WRITER, Role.CREATOR):
        assert actions(role) == {"s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    assert [role for role in Role if "s3:DeleteObjectVersion" in actions(role)] == [Role.PROBER]
    assert [role for role in Role if "s3:DeleteObject" in actions(role)] == [
        Role.PRUNER,
        Role.PROBER,
    ]


def test_a_bucket_as_planned_differs_in_nothing():
    assert differences(PLAN, AS_PLANNED) == []
    longer = replace(AS_PLANNED, lock=Lock(mode="COMPLIANCE", days=99))
    assert differences(GOVERNED, longer) == []


def test_a_lifecycle_in_older_words_is_the_same_one():
    older = [{**rule, "Prefix": rule["Filter"]["Prefix"]} for rule in lifecycle(PLAN)["Rules"]]
    for rule in older:
        del rule["Filter"]

    assert differences(PLAN, replace(AS_PLANNED, lifecycle=older)) == []
    older[0]["Prefix"] += "x"
    told = differences(PLAN, replace(AS_PLANNED, lifecycle=older))
    assert told == ["the lifecycle lacks unstoppable-uploads"]


def test_a_policy_without_what_some_servers_do_not_know_is_as_planned():
    known = bucket_policy(PLAN, is_whole=False)

    assert "Encryption" in str(bucket_policy(PLAN))
    assert "Encryption" not in str(known)
    assert differences(PLAN, replace(AS_PLANNED, policy=known)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"is_versioned": False}, "versioning is not on: an overwritten object is lost"),
        ({"is_versioned": Unknown.DENIED}, "versioning is not known: this access key may not see"),
        ({"has_locks": False}, "Object Lock is not on, and only a new bucket gets it"),
        ({"lock": None}, "the default lock is missing: nothing locks new objects"),
        ({"lock": Lock(mode="GOVERNANCE", days=45)}, "the default lock is 45 days of GOVERNANCE"),
        ({"lock": Lock(mode="COMPLIANCE", days=44)}, "the default lock is 44 days of COMPLIANCE"),
        ({"lock": Unknown.DENIED}, "the default lock is not known: this access key may not see"),
        ({"lifecycle": None}, "the lifecycle lacks unstoppable-uploads and unstoppable-hidden"),
        ({"lifecycle": Unknown.NOT_SUPPORTED}, "the lifecycle is not known: the server does not"),
        ({"policy": None}, "the bucket's policy is not the planned one"),
        ({"policy": {"Statement": []}}, "the bucket's policy is not the planned one"),
        ({"policy": Unknown.DENIED}, "the bucket's policy is not known: this access key may not"),
    ],
)
def test_each_difference_is_one_sentence(change, told):
    found = differences(PLAN, replace(AS_PLANNED, **change))

    assert len(found) == 1
    assert found[0].startswith(told)
