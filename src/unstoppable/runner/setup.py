"""Setting a resource up: its repository and its pins, from whatever state an earlier try left."""

from collections.abc import Callable
from enum import StrEnum

from unstoppable import engine
from unstoppable.domain import errors
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins
from unstoppable.runner import lane, pins_file
from unstoppable.runner.plan import Installation
from unstoppable.runner.run import new_run, now


class Found(StrEnum):
    """What lies there."""

    NOTHING = "nothing"
    UNPINNED = "unpinned"
    """A repository that our key opens and that was made for this resource, but no pins."""
    READY = "ready"


def examine(
    installation: Installation, *, key_is_new: bool, expected_id: str | None = None
) -> Found:
    """Return what lies there; changes nothing.

    `expected_id` is how a person says that the repository's id begins, who compared it.
    Raises WrongKey, PinBroken or RepositoryExists for a repository that is not ours, PinsMissing
    for one with snapshots that nobody expected, and NoRepository where there should be one.
    """
    pins = pins_file.find(installation.pins_file, installation.resource)
    try:
        repository = _open(installation, pins)
    except errors.NoRepository:
        if pins is None and expected_id is None:
            return Found.NOTHING
        raise
    except errors.WrongKey as error:
        if not key_is_new:
            raise
        cause = "there is one already, and no key for it in the settings"
        raise errors.RepositoryExists(resource=installation.resource, cause=cause) from error
    _refuse_other(repository, expected_id, installation.resource)
    if pins is not None:
        return Found.READY
    if expected_id is None and any(repository.snapshots()):
        raise errors.PinsMissing(path=installation.pins_file, resource=installation.resource)
    return Found.UNPINNED


def set_up(
    installation: Installation,
    *,
    key_is_new: bool,
    keep_settings: Callable[[], None],
    expected_id: str | None = None,
    finish: Callable[[], None] = lambda: None,
) -> Found:
    """Create and pin what is missing; returns what was there before.

    1. Look, and refuse before anything is written.
    2. Keep the settings: the key is on disk before a repository exists that needs it.
    3. Create the repository; a creation that was interrupted goes on.
    4. Write the pins; between 3 and 4 a killed set-up leaves an unpinned repository without
       snapshots, which the next one pins: our key opens it, so nobody without the key made it.
       One with snapshots had pins, which were lost: a person has to say that it is the right one.
    5. Finish what else has to be written while nobody else of this customer writes.
    """
    lane_file = lane.lane_file(installation.hot, installation.resource)
    with lane.hold(lane_file, new_run(installation.resource)):
        found = examine(installation, key_is_new=key_is_new, expected_id=expected_id)
        keep_settings()
        if found is not Found.READY:
            is_new = found is Found.NOTHING
            pins = _create(installation) if is_new else _open(installation, None).pins
            pins_file.add(installation.pins_file, installation.resource, pins)
        finish()
    return found


def _open(installation: Installation, pins: Pins | None) -> engine.Repository:
    places = installation.places(pins, uses_hot=False)
    key = installation.key.of_repository(places)
    return engine.Repository.open(places, key, pins, mode="read")


def _refuse_other(
    repository: engine.Repository, expected_id: str | None, resource: ResourceName
) -> None:
    found = repository.pins.repository_id
    if expected_id is not None and not found.startswith(expected_id.lower()):
        cause = f"its id is {found}, which does not begin with {expected_id}"
        raise errors.PinBroken(resource=resource, cause=cause)


def _create(installation: Installation) -> Pins:
    places = installation.places(None)
    return engine.create(places, installation.key.of_repository(places), now())
