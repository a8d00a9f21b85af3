"""Who does what in a bucket: the least that each role needs, as policies.

They are in the language of AWS, which other servers understand in part: docs/bucket.md tells what
each of them cannot deny.  A `*` in a resource matches slashes as well.
"""

from enum import StrEnum
from typing import Any

from unstoppable.domain.s3 import S3Prefix

PROBE = ".unstoppable/probe/"
"""Where a lock is tried out; auditors do not count what happens there."""
LEAST_LOCKED_DAYS = 30
MOST_LOCKED_DAYS = 120
VERSION = "2012-10-17"
"""Of the language of policies."""
_REPOSITORY = "*/g*/"
"""A repository below the prefix: its resource and its generation."""

Policy = dict[str, Any]
Statement = dict[str, Any]


class Role(StrEnum):
    """Who does something in a bucket; nobody should be two of them."""

    CREATOR = "creator"
    """Makes repositories and the first backup of each; a person's, for `unstoppable init`."""
    WRITER = "writer"
    """Makes backups; cannot read files back."""
    CONVENIENT_WRITER = "convenient-writer"
    """Makes backups, restores, and mends hot by itself."""
    READER = "reader"
    """Restores and checks."""
    AUDITOR = "auditor"
    """Looks at everything, versions and locks too."""
    PRUNER = "pruner"
    """Hides what is no longer needed; versions stay until the lifecycle takes them."""
    EXTENDER = "extender"
    """Lengthens locks."""
    PROBER = "prober"
    """Tries whether a lock holds, on objects made for that alone."""


def identity_policy(role: Role, place: S3Prefix) -> Policy:
    """Return the policy to attach to whoever has a role."""
    return {"Version": VERSION, "Statement": allowed(role, place)}


def allowed(role: Role, place: S3Prefix) -> list[Statement]:
    """Return what a role may do."""
    created = ("config", "unstoppable.json")
    read_by_writer = (*created, "snapshots/*", "index/*")
    hidden = ("snapshots/*", "index/*", "data/*")
    read = [*_list(place), _everywhere(place, "s3:GetObject")]
    return {
        Role.CREATOR: [*read, _on(place, "s3:PutObject", created), *_write(place)],
        Role.WRITER: [
            *_list(place),
            _on(place, "s3:GetObject", read_by_writer),
            *_write(place),
        ],
        Role.CONVENIENT_WRITER: [*read, *_write(place)],
        Role.READER: read,
        Role.AUDITOR: _look(place),
        Role.PRUNER: [*_look(place), _on(place, "s3:DeleteObject", hidden)],
        Role.EXTENDER: [*_look(place), _lengthen(place)],
        Role.PROBER: _probe(place),
    }[role]


def _list(place: S3Prefix) -> list[Statement]:
    return [_of_bucket(place, "s3:ListBucket")]


def _write(place: S3Prefix) -> list[Statement]:
    return [
        _on(place, "s3:PutObject", ("snapshots/*", "index/*", "data/*")),
        _allow("s3:PutObject", _arn(place, PROBE + "*")),
    ]


def _look(place: S3Prefix) -> list[Statement]:
    of_bucket = (
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:GetBucketVersioning",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetBucketPolicy",
        "s3:GetReplicationConfiguration",
    )
    of_objects = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention")
    return [_of_bucket(place, *of_bucket), _everywhere(place, *of_objects)]


def _lengthen(place: S3Prefix) -> Statement:
    """Let locks be lengthened within limits: a lock of a hundred years would cost as long."""
    remaining = "s3:object-lock-remaining-retention-days"
    limits = {
        "NumericGreaterThanEquals": {remaining: str(LEAST_LOCKED_DAYS)},
        "NumericLessThanEquals": {remaining: str(MOST_LOCKED_DAYS)},
    }
    return {**_everywhere(place, "s3:PutObjectRetention"), "Condition": limits}


def _probe(place: S3Prefix) -> list[Statement]:
    actions = [
        "s3:PutObject",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:GetObjectRetention",
        "s3:PutObjectRetention",
        "s3:BypassGovernanceRetention",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    ]
    return [
        _of_bucket(place, "s3:ListBucket", "s3:ListBucketVersions"),
        _allow(actions, _arn(place, PROBE + "*")),
    ]


def denied_to_writers(place: S3Prefix, *, is_whole: bool = True) -> list[Statement]:
    """Return what no writer may ever do, whatever it is allowed elsewhere.

    Not whole is without what some servers do not know: Ceph RGW takes no policy that names it.
    """
    bucket = (
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:PutBucketVersioning",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
        "s3:PutBucketPolicy",
        "s3:PutBucketAcl",
        *(("s3:PutEncryptionConfiguration",) if is_whole else ()),
    )
    objects = (
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
        "s3:BypassGovernanceRetention",
    )
    arn = f"arn:aws:s3:::{place.bucket}"
    return [
        {"Effect": "Deny", "Action": list(bucket), "Resource": [arn]},
        {"Effect": "Deny", "Action": list(objects), "Resource": [f"{arn}/*"]},
    ]


def _on(place: S3Prefix, action: str, keys: tuple[str, ...]) -> Statement:
    """Allow something with these keys of every repository of the bucket."""
    return _allow(action, *(_arn(place, _REPOSITORY + key) for key in keys))


def _everywhere(place: S3Prefix, *actions: str) -> Statement:
    return _allow(list(actions), _arn(place, "*"))


def _of_bucket(place: S3Prefix, *actions: str) -> Statement:
    return _allow(list(actions), f"arn:aws:s3:::{place.bucket}")


def _allow(actions: str | list[str], *resources: str) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _arn(place: S3Prefix, key: str) -> str:
    return f"arn:aws:s3:::{place.bucket}/{below(place, key)}"


def below(place: S3Prefix, key: str) -> str:
    """Return the whole name of a key below the place."""
    return f"{place.prefix}/{key}" if place.prefix else key
