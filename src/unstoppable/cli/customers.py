"""The customers of an installation, and what two of them must not have in common."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from unstoppable.cli.configuration import Configuration, real
from unstoppable.cli.customer_file import Customer
from unstoppable.domain.customer_errors import (
    BucketShared,
    FolderShared,
    IdentityShared,
    KeyShared,
)
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import S3Prefix, server_of
from unstoppable.secrets.infisical_secrets import InInfisical
from unstoppable.secrets.reference import InFile, InVariable

_Name = TypeVar("_Name", str, ResourceName)


def shared(all_of_them: Iterable[Configuration]) -> dict[ResourceName, list[UnstoppableError]]:
    """Return the resources that have a bucket with another customer, or a key with any other."""
    by_bucket: dict[tuple[str, str], list[ResourceName]] = defaultdict(list)
    by_key: dict[str, list[ResourceName]] = defaultdict(list)
    for found in all_of_them:
        cold = found.settings.cold
        if isinstance(cold, S3Prefix):
            server = server_of(found.s3_access.endpoint, cold.bucket)
            by_bucket[server, cold.bucket].append(found.resource)
        if reference := _reference(found):
            by_key[reference].append(found.resource)
    faults: dict[ResourceName, list[UnstoppableError]] = defaultdict(list)
    for (_, bucket), resources in by_bucket.items():
        whose = pairs([resource.customer for resource in resources])
        for resource in resources:
            if pair := whose.get(resource.customer):
                shared_bucket = BucketShared(one=pair[0], other=pair[1], bucket=bucket)
                faults[resource].append(shared_bucket)
    for reference, resources in by_key.items():
        for resource, (one, other) in pairs(resources).items():
            faults[resource].append(KeyShared(one=one, other=other, reference=reference))
    return faults


def pairs(names: Iterable[_Name]) -> dict[_Name, tuple[_Name, _Name]]:
    """Return with whom each shares what only one may have; nobody, where there is one alone.

    Both of two are told of the same pair, in its order, so that whoever tells of all of them can
    tell it once.
    """
    known = sorted(set(names))
    if not known[1:]:
        return {}
    return {name: (known[0], known[max(index, 1)]) for index, name in enumerate(known)}


def on_disk(all_of_them: Collection[Configuration]) -> dict[ResourceName, list[UnstoppableError]]:
    """Return the resources that have a folder of cold, or the file of a key, with another.

    It looks where links lead, and would wait for a disk that does not answer: only those ask who
    look at everything.
    """
    faults: dict[ResourceName, list[UnstoppableError]] = defaultdict(list)
    folders = sorted(
        (real(found.settings.cold / str(found.resource)).parts, found.resource)
        for found in all_of_them
        if isinstance(found.settings.cold, Path)
    )
    above: list[tuple[tuple[str, ...], ResourceName]] = []
    # Those in which the folder that is looked at lies; the one before it need not be one of them.
    for below, other in folders:
        while above and below[: len(above[-1][0])] != above[-1][0]:
            above.pop()
        if above:
            pair = first, second = sorted((above[-1][1], other))
            for resource in pair:
                fault = FolderShared(one=first, other=second, folder=Path(*below))
                faults[resource].append(fault)
        above.append((below, other))
    for same in _by_file(all_of_them).values():
        references = dict(same)
        for resource, (one, other) in pairs(references).items():
            reference = references[other]
            faults[resource].append(KeyShared(one=one, other=other, reference=reference))
    return faults


def _by_file(
    all_of_them: Iterable[Configuration],
) -> dict[tuple[int, int], list[tuple[ResourceName, str]]]:
    """Return the files of keys, and whose they are; one that is not there is told elsewhere."""
    found: dict[tuple[int, int], list[tuple[ResourceName, str]]] = defaultdict(list)
    for one in all_of_them:
        secret = one.key and one.key.secret
        if isinstance(secret, InFile):
            with suppress(OSError):
                file = secret.path.stat()
                found[file.st_dev, file.st_ino].append((one.resource, str(secret)))
    return found


def sharing_identity(found: Collection[Customer]) -> dict[str, list[UnstoppableError]]:
    """Return the customers that have one identity at an Infisical server with another."""
    by_identity: dict[str, list[str]] = defaultdict(list)
    sharing = {customer.name for customer in found if customer.shares_identity}
    for customer in found:
        if customer.client_id is not None:
            by_identity[customer.client_id].append(customer.name)
    faults: dict[str, list[UnstoppableError]] = defaultdict(list)
    for client_id, names in by_identity.items():
        twins = {} if sharing.issuperset(names) else pairs(names)
        for name, (one, other) in twins.items():
            faults[name].append(IdentityShared(one=one, other=other, client_id=client_id))
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
