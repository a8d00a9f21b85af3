"""A bucket as its server tells of it, and as it is made."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from unstoppable.domain.bucket import (
    BucketFound,
    BucketPlan,
    Lock,
    Unknown,
    bucket_policies,
    default_lock,
    lifecycle,
    missing_rules,
    unless_unknown,
)
from unstoppable.domain.bucket_policy import PROBE, Policy
from unstoppable.domain.s3 import S3Cold
from unstoppable.domain.storage_errors import BucketMissing, BucketUnusable

_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 10, 60, 4
_MISSING = {
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchObjectLockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "ObjectLockConfigurationNotFound",
}
_UNSUPPORTED = {"NotImplemented", "MethodNotAllowed", "501", "405"}
_NOT_TAKEN = {"MalformedPolicy", "InvalidArgument"}
_DENIED = {"AccessDenied", "403", "AllAccessDisabled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that makes a bucket what it should be."""

    what: str
    result: str
    """`done`, `was so`, or why not."""
    is_lacking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Something that was tried with an access key."""

    what: str
    is_allowed: bool
    should_be_allowed: bool

    @property
    def is_right(self) -> bool:
        """Whether it went as it should."""
        return self.is_allowed == self.should_be_allowed


class Bucket:
    """A bucket, seen with one credential."""

    def __init__(self, place: S3Cold) -> None:
        self._place = place
        self._name = place.place.bucket
        self._client = _client(place)

    def look(self) -> BucketFound:
        """Return what the bucket is; raises BucketMissing or BucketUnusable."""
        self._reach()
        locks = self._get("get_object_lock_configuration", "ObjectLockConfiguration")
        versioning = self._get("get_bucket_versioning", "Status")
        return BucketFound(
            is_versioned=unless_unknown(versioning, versioning == "Enabled"),
            has_locks=_has_locks(locks),
            lock=_default_lock(locks),
            lifecycle=self._get("get_bucket_lifecycle_configuration", "Rules"),
            policy=_policy(self._get("get_bucket_policy", "Policy")),
        )

    def _reach(self) -> None:
        """Raise BucketMissing or BucketUnusable where the bucket cannot be listed."""
        with self._asking("look at it"):
            self._client.list_objects_v2(Bucket=self._name, Prefix=PROBE, MaxKeys=1)

    def make(self, plan: BucketPlan) -> Iterator[Step]:
        """Make what is missing, step by step; nothing is taken away or weakened.

        Raises BucketUnusable.
        """
        yield self._make_bucket()
        found = self.look()
        if found.is_versioned is not True:
            enabled = {"Status": "Enabled"}
            yield self._put("versioning", "put_bucket_versioning", VersioningConfiguration=enabled)
        if isinstance(found.lock, Lock) and found.lock.is_at_least(plan):
            yield Step(what="the default lock", result="was so")
        else:
            locked = default_lock(plan)
            action = "put_object_lock_configuration"
            yield self._put("the default lock", action, ObjectLockConfiguration=locked)
        yield self._make_lifecycle(plan, found)
        if plan.principals:
            yield self._make_policy(plan, found)

    def _make_bucket(self) -> Step:
        what = "the bucket, with versions and Object Lock"
        try:
            self._reach()
        except BucketMissing:
            return self._make_new_bucket(what)
        return Step(what=what, result="was there")

    def _make_new_bucket(self, what: str) -> Step:
        region = self._place.access.region
        more: dict[str, Any] = {}
        if region != "us-east-1" and self._place.access.endpoint.endswith(".amazonaws.com"):
            more = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with self._asking("make it"):
            self._client.create_bucket(Bucket=self._name, ObjectLockEnabledForBucket=True, **more)
        return Step(what=what, result="done")

    def _make_lifecycle(self, plan: BucketPlan, found: BucketFound) -> Step:
        kept = found.lifecycle if isinstance(found.lifecycle, list) else []
        ours = lifecycle(plan)["Rules"]
        names = {rule["ID"] for rule in ours}
        rules = [*(rule for rule in kept if rule.get("ID") not in names), *ours]
        if not missing_rules(plan, kept):
            return Step(what="the lifecycle", result="was so")
        action = "put_bucket_lifecycle_configuration"
        return self._put("the lifecycle", action, LifecycleConfiguration={"Rules": rules})

    def _make_policy(self, plan: BucketPlan, found: BucketFound) -> Step:
        whole, known_everywhere = bucket_policies(plan)
        if found.policy in (whole, known_everywhere):
            return Step(what="the bucket's policy", result="was so")
        if found.policy is not None and not isinstance(found.policy, Unknown):
            result = "there is another one, which stays; merge the planned one by hand"
            return Step(what="the bucket's policy", result=result, is_lacking=True)
        step = self._put_policy(whole)
        return self._put_policy(known_everywhere) if step.is_lacking else step

    def _put_policy(self, policy: Policy) -> Step:
        return self._put("the bucket's policy", "put_bucket_policy", Policy=json.dumps(policy))

    def _put(self, what: str, action: str, **arguments: object) -> Step:
        with self._asking(f"set {what}"):
            try:
                getattr(self._client, action)(Bucket=self._name, **arguments)
            except ClientError as error:
                result = str(Unknown.NOT_SUPPORTED)
                if _code(error) in _NOT_TAKEN and "Policy" in arguments:
                    result = f"the server does not take it: {_message(error) or _code(error)}"
                elif _code(error) not in _UNSUPPORTED:
                    raise
                return Step(what=what, result=result, is_lacking=True)
        return Step(what=what, result="done")

    def try_as_writer(self, *, may_read: bool) -> Iterator[Tried]:
        """Try what a writer must be able to do, and what it must not; raises BucketUnusable.

        What is written is a few bytes below `.unstoppable/probe/`. What must be refused would, if
        it were not, take away those bytes alone, or set what is set already.
        """
        below = f"{self._place.place.prefix}/" if self._place.place.prefix else ""
        key = f"{below}{PROBE}{secrets.token_hex(8)}"
        client, where = self._client, {"Bucket": self._name}
        version: dict[str, str] = {}

        def put() -> None:
            put = client.put_object(**where, Key=key, Body=b"probe", ChecksumAlgorithm="CRC32")
            if put.get("VersionId"):
                version["VersionId"] = put["VersionId"]

        def read(pack: str) -> object:
            return client.get_object(**where, Key=pack, Range="bytes=0-0")

        def remove(**version: str) -> object:
            return client.delete_object(**where, Key=key, **version)

        def switch() -> object:
            enabled = {"Status": "Enabled"}
            return client.put_bucket_versioning(**where, VersioningConfiguration=enabled)

        yield self._try("put an object", put, should=True)
        yield self._try(
            "list the bucket", lambda: client.list_objects_v2(**where, Prefix=below), should=True
        )
        if pack := self._any_pack(below):
            yield self._try("read a pack", lambda: read(pack), should=may_read)
        yield self._try("delete an object", remove, should=False)
        if version:
            yield self._try("delete a version", lambda: remove(**version), should=False)
        yield self._try("change versioning", switch, should=False)

    def _any_pack(self, below: str) -> str | None:
        """Return the key of a pack, if any lies near the beginning of the listing."""
        with self._asking("list it"):
            found = self._client.list_objects_v2(Bucket=self._name, Prefix=below)
        keys = [entry["Key"] for entry in found.get("Contents", ())]
        return next((key for key in keys if "/data/" in key), None)

    def _try(self, what: str, act: Callable[[], object], *, should: bool) -> Tried:
        with self._asking(what):
            try:
                act()
            except ClientError as error:
                if _code(error) not in _DENIED:
                    raise
                return Tried(what=what, is_allowed=False, should_be_allowed=should)
        return Tried(what=what, is_allowed=True, should_be_allowed=should)

    def _get(self, action: str, name: str) -> Any:  # noqa: ANN401 - what S3 answers
        """Return a part of an answer; None where it was never set."""
        with self._asking(action.replace("_", " ")):
            try:
                return getattr(self._client, action)(Bucket=self._name).get(name)
            except ClientError as error:
                code = _code(error)
                if code in _MISSING:
                    return None
                if code in _UNSUPPORTED:
                    return Unknown.NOT_SUPPORTED
                if code in _DENIED:
                    return Unknown.DENIED
                raise

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        """Raise what the server or the network says as errors of ours."""
        try:
            yield
        except ClientError as error:
            endpoint = self._place.access.endpoint
            if _code(error) in {"NoSuchBucket", "404"}:
                raise BucketMissing(bucket=self._name, endpoint=endpoint) from error
            cause = f"{_code(error)} {_message(error)}".strip()
            raise BucketUnusable(bucket=self._name, doing=doing, cause=cause) from error
        except BotoCoreError as error:
            raise BucketUnusable(bucket=self._name, doing=doing, cause=error) from error


def _client(place: S3Cold) -> Any:  # noqa: ANN401 - boto3 has no types
    """Return a client that reads nothing of other programs: no profile, environment or proxy."""
    session = Session()
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, os.devnull)
    session.set_config_variable("profile", None)
    style = "virtual" if place.access.virtual_host else "path"
    return boto3.Session(botocore_session=session).client(
        "s3",
        endpoint_url=place.access.endpoint,
        region_name=place.access.region,
        aws_access_key_id=place.access_key_id.resolve(),
        aws_secret_access_key=place.secret_access_key.resolve(),
        verify=place.access.ca_file or True,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            s3={"addressing_style": style},
            proxies={},
        ),
    )


def _code(error: Any) -> str:  # noqa: ANN401 - boto3 has no types
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: Any) -> str:  # noqa: ANN401 - boto3 has no types
    return str(error.response.get("Error", {}).get("Message") or "")


def _has_locks(locks: Any) -> bool | Unknown:  # noqa: ANN401 - what S3 answers
    if isinstance(locks, Unknown):
        return locks
    return bool(locks) and locks.get("ObjectLockEnabled") == "Enabled"


def _default_lock(locks: Any) -> Lock | Unknown | None:  # noqa: ANN401 - what S3 answers
    if locks is None or isinstance(locks, Unknown):
        return locks
    retention = locks.get("Rule", {}).get("DefaultRetention", {})
    days = retention.get("Days") or 365 * (retention.get("Years") or 0)
    return Lock(mode=str(retention.get("Mode")), days=days) if days else None


def _policy(found: Any) -> Any:  # noqa: ANN401 - what S3 answers
    return json.loads(found) if isinstance(found, str) and not isinstance(found, Unknown) else found
