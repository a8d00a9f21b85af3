"""Making the cache of a resource anew."""

from unstoppable.domain.snapshot import Rebuilt
from unstoppable.engine import Repository, Watch
from unstoppable.runner import lane, pins_file
from unstoppable.runner.plan import Installation
from unstoppable.runner.run import new_run


def rebuild(installation: Installation, watch: Watch, *, dry_run: bool) -> Rebuilt:
    """Make the cache what it should be, in the lane of the customer; a rehearsal needs no lane.

    Raises Busy while a run goes on, PinsMissing, and what opening and reading cold raise.
    """
    if dry_run:
        return _rebuild(installation, watch, dry_run=True)
    run = new_run(installation.resource)
    with lane.hold(lane.lane_file(installation.hot, run.resource), run):
        return _rebuild(installation, watch, dry_run=False)


def _rebuild(installation: Installation, watch: Watch, *, dry_run: bool) -> Rebuilt:
    pins = pins_file.require(installation.pins_file, installation.resource)
    places = installation.places(pins, uses_hot=False)
    key = installation.key.of_repository(places)
    repository = Repository.open(places, key, pins, mode="read")
    hot = installation.hot_of(places.generation)
    return repository.rebuild_hot(hot, dry_run=dry_run, watch=watch)
