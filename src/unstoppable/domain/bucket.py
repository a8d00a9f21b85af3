"""What a customer's bucket must be, and what keeps one from being that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from unstoppable.domain.bucket_policy import (
    VERSION,
    Policy,
    Role,
    allowed,
    below,
    denied_to_writers,
)
from unstoppable.domain.s3 import S3Prefix

DEFAULT_LOCKED_DAYS = 45
"""Half a month more than the least: time for somebody to notice that nobody lengthens locks."""


class LockMode(StrEnum):
    """What keeps a version from being deleted before its time."""

    COMPLIANCE = "COMPLIANCE"
    """Nobody can, not even the owner of the account."""
    GOVERNANCE = "GOVERNANCE"
    """Those with a right of its own can: to try things out."""


class Unknown(StrEnum):
    """Why something is not known of a bucket."""

    NOT_SUPPORTED = "the server does not know it"
    DENIED = "this access key may not see it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The default lock of a bucket."""

    mode: str
    days: int

    def is_at_least(self, plan: "BucketPlan") -> bool:
        """Whether it locks as long as the plan asks, and as hard."""
        is_hard = self.mode in {plan.mode, LockMode.COMPLIANCE}
        return is_hard and self.days >= plan.locked_days


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFound:
    """What a bucket is; None for what it lacks."""

    is_versioned: bool | Unknown
    has_locks: bool | Unknown
    lock: Lock | Unknown | None
    lifecycle: list[Any] | Unknown | None
    """The rules."""
    policy: Policy | Unknown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPlan:
    """What a bucket should be."""

    place: S3Prefix
    mode: LockMode = LockMode.COMPLIANCE
    locked_days: int = DEFAULT_LOCKED_DAYS
    principals: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    """Who has which role, as the server names them: ARNs on AWS and Ceph, users elsewhere."""


def bucket_policy(plan: BucketPlan, *, is_whole: bool = True) -> Policy:
    """Return the bucket's own policy: what each named principal may, and what no writer ever may.

    What is denied here holds whatever an identity is allowed elsewhere.
    Not whole is for servers that do not know all of it; it allows no more.
    """
    statements = [
        {**statement, "Principal": _principal(names)}
        for role, names in plan.principals.items()
        for statement in allowed(role, plan.place)
    ]
    writers = (Role.WRITER, Role.CONVENIENT_WRITER)
    names = tuple(name for role in writers for name in plan.principals.get(role, ()))
    if names:
        denied = denied_to_writers(plan.place, is_whole=is_whole)
        statements += [{**statement, "Principal": _principal(names)} for statement in denied]
    return {"Version": VERSION, "Statement": statements}


def bucket_policies(plan: BucketPlan) -> list[Policy]:
    """Return the policies that are as planned, the one that denies most first."""
    return [bucket_policy(plan), bucket_policy(plan, is_whole=False)]


def default_lock(plan: BucketPlan) -> dict[str, Any]:
    """Return the Object Lock configuration of the bucket, as S3 takes it."""
    retention = {"Mode": str(plan.mode), "Days": plan.locked_days}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


def lifecycle(plan: BucketPlan) -> dict[str, Any]:
    """Return the lifecycle of the bucket, as S3 takes it.

    What was hidden stays as long as a lock does, so that a prune can be undone.
    """
    rules = [
        ("unstoppable-uploads", {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}),
        (
            "unstoppable-hidden",
            {"NoncurrentVersionExpiration": {"NoncurrentDays": plan.locked_days}},
        ),
    ]
    common = {"Status": "Enabled", "Filter": {"Prefix": below(plan.place, "")}}
    return {"Rules": [{"ID": name, **common, **rule} for name, rule in rules]}


def differences(plan: BucketPlan, found: BucketFound) -> list[str]:
    """Return what keeps a bucket from being what it should be, one sentence each."""
    told = [
        _unless(found.is_versioned, "versioning", "is not on: an overwritten object is lost"),
        _unless(found.has_locks, "Object Lock", "is not on, and only a new bucket gets it"),
        _about_lock(plan, found.lock),
        _about_lifecycle(plan, found.lifecycle),
    ]
    if plan.principals:
        is_planned = unless_unknown(found.policy, found.policy in bucket_policies(plan))
        told.append(_unless(is_planned, "the bucket's policy", "is not the planned one"))
    return [sentence for sentence in told if sentence]


def _unless(is_so: bool | Unknown, what: str, wrong: str) -> str | None:  # noqa: FBT001 - found
    if isinstance(is_so, Unknown):
        return f"{what} is not known: {is_so}"
    return None if is_so else f"{what} {wrong}"


def unless_unknown(found: object, is_so: bool) -> bool | Unknown:  # noqa: FBT001 - of what was found
    """Return whether something is so of what was found, or why that is not known."""
    return found if isinstance(found, Unknown) else is_so


def _about_lock(plan: BucketPlan, lock: Lock | Unknown | None) -> str | None:
    if isinstance(lock, Lock) and not lock.is_at_least(plan):
        wanted = f"{plan.locked_days} days of {plan.mode}"
        return f"the default lock is {lock.days} days of {lock.mode}, not {wanted}"
    is_there = unless_unknown(lock, lock is not None)
    return _unless(is_there, "the default lock", "is missing: nothing locks new objects")


def _about_lifecycle(plan: BucketPlan, rules: list[Any] | Unknown | None) -> str | None:
    if not isinstance(rules, list | None):
        return f"the lifecycle is not known: {rules}"
    missing = [rule["ID"] for rule in missing_rules(plan, rules or [])]
    return f"the lifecycle lacks {' and '.join(missing)}" if missing else None


def missing_rules(plan: BucketPlan, rules: list[Any]) -> list[Any]:
    """Return what these rules of a lifecycle lack of the plan."""
    told = [_as_in_plan(rule) for rule in rules]
    return [rule for rule in lifecycle(plan)["Rules"] if rule not in told]


def _as_in_plan(rule: Any) -> Any:  # noqa: ANN401 - what S3 answers
    """Return a rule in today's words: Ceph RGW answers in older ones, a prefix without filter."""
    if "Prefix" not in rule or rule.get("Filter"):
        return rule
    return {
        **{n: v for n, v in rule.items() if n != "Prefix"},
        "Filter": {"Prefix": rule["Prefix"]},
    }


def _principal(names: tuple[str, ...]) -> dict[str, list[str]]:
    return {"AWS": sorted(names)}
