"""The engine's errors and values as ours."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

import unstoppable_engine

from unstoppable.domain import errors
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import SCHEME
from unstoppable.domain.snapshot import Issue
from unstoppable.domain.storage_errors import BucketFailed, StorageDenied

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Value = TypeVar("_Value", bound=DataclassInstance)

_ERRORS: dict[type[unstoppable_engine.EngineError], type[errors.UnstoppableError]] = {
    unstoppable_engine.WrongKey: errors.WrongKey,
    unstoppable_engine.PinBroken: errors.PinBroken,
    unstoppable_engine.NoRepository: errors.NoRepository,
    unstoppable_engine.RepositoryExists: errors.RepositoryExists,
    unstoppable_engine.SourceUnavailable: errors.SourceUnavailable,
    unstoppable_engine.StorageFull: errors.StorageFull,
    unstoppable_engine.StorageDenied: StorageDenied,
    unstoppable_engine.StorageError: errors.StorageFailed,
    unstoppable_engine.RepositoryDamaged: errors.RepositoryDamaged,
    unstoppable_engine.TargetOccupied: errors.TargetOccupied,
    unstoppable_engine.InvalidInput: errors.Refused,
}
"""What is not in it is a fault of the engine."""


@contextmanager
def translated(
    resource: ResourceName,
    *,
    cancelled: type[errors.Cancelled] = errors.Cancelled,
    unavailable: type[errors.SourceUnavailable] = errors.SourceUnavailable,
) -> Iterator[None]:
    """Raise the engine's errors as ours.

    `cancelled` is what a call that was stopped raises, `unavailable` one whose source is not there.
    """
    try:
        yield
    except unstoppable_engine.Cancelled as error:
        raise cancelled(resource=resource) from error
    except unstoppable_engine.EngineError as error:
        kind = _ERRORS.get(type(error), errors.Fault)
        if kind is errors.SourceUnavailable:
            kind = unavailable
        if kind is errors.StorageFailed and SCHEME in str(error):
            kind = BucketFailed
        raise kind(resource=resource, cause=error) from error


def issues(found: Sequence[unstoppable_engine.Issue]) -> tuple[Issue, ...]:
    """Return the engine's issues as ours."""
    return tuple(copy(Issue, issue) for issue in found)


def copy(value: "type[_Value]", found: object, **changed: object) -> "_Value":
    """Return the engine's object as our value, which has the same names; `changed` goes first."""
    names = [field.name for field in fields(value)]
    taken = {name: getattr(found, name) for name in names if name not in changed}
    return value(**taken, **changed)
