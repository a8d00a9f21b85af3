"""The customers of an installation, and what two of them must not have in common."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from unstoppable.cli.configuration import Configuration
from unstoppable.cli.customer_file import Customer
from unstoppable.domain.customer_errors import BucketShared, IdentityShared, KeyShared
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import S3Prefix
from unstoppable.secrets.infisical_secrets import InInfisical
from unstoppable.secrets.reference import InFile, InVariable


def shared(all_of_them: Iterable[Configuration]) -> dict[ResourceName, list[UnstoppableError]]:
    """Return the resources that have a bucket with another customer, or a key with any other."""
    by_bucket: dict[tuple[str, str], list[ResourceName]] = defaultdict(list)
    by_key: dict[str, list[ResourceName]] = defaultdict(list)
    for found in all_of_them:
        cold = found.settings.cold
        if isinstance(cold, S3Prefix):
            by_bucket[str(found.settings.s3_endpoint), cold.bucket].append(found.resource)
        if reference := _reference(found):
            by_key[reference].append(found.resource)
    faults: dict[ResourceName, list[UnstoppableError]] = defaultdict(list)
    for (_, bucket), resources in by_bucket.items():
        for one in resources:
            others = [other.customer for other in resources if other.customer != one.customer]
            if others:
                with_whom = BucketShared(one=one.customer, other=others[0], bucket=bucket)
                faults[one].append(with_whom)
    for reference, resources in by_key.items():
        for one in resources if len(resources) > 1 else ():
            other = next(other for other in resources if other != one)
            faults[one].append(KeyShared(one=one, other=other, reference=reference))
    return faults


def sharing_identity(found: Collection[Customer]) -> dict[str, list[UnstoppableError]]:
    """Return the customers that have one identity at an Infisical server with another."""
    by_identity: dict[str, list[str]] = defaultdict(list)
    sharing = {customer.name for customer in found if customer.shares_identity}
    for customer in found:
        if customer.client_id is not None:
            by_identity[customer.client_id].append(customer.name)
    faults: dict[str, list[UnstoppableError]] = defaultdict(list)
    for client_id, names in by_identity.items():
        if len(names) > 1 and not sharing.issuperset(names):
            for one in names:
                other = next(other for other in names if other != one)
                faults[one].append(IdentityShared(one=one, other=other, client_id=client_id))
    return faults


def _reference(configuration: Configuration) -> str | None:
    """Return what names the key of a repository."""
    secret = configuration.key and configuration.key.secret
    match secret:
        case InFile() | InVariable():
            return str(secret)
        case InInfisical(keeper=keeper):
            identity = keeper.identity
            return f"{identity.server} {identity.project_id} {identity.environment} {secret}"
    return None
