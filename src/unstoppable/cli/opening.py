"""Opening a repository to read it."""

from datetime import datetime

from unstoppable.cli import output
from unstoppable.cli.configuration import Configuration
from unstoppable.domain.at import choose
from unstoppable.domain.names import ResourceName
from unstoppable.domain.snapshot import Snapshot
from unstoppable.engine import Repository
from unstoppable.runner import pins_file


def open_to_read(configuration: Configuration) -> Repository:
    """Open cold alone; without pins, as on a new machine, tell what a person should compare."""
    installation = configuration.installation()
    pins = pins_file.find(installation.pins_file, installation.resource)
    places = installation.places(pins, uses_hot=False)
    key = installation.key.of_repository(places)
    repository = Repository.open(places, key, pins, mode="read")
    if pins is None:
        found = repository.pins
        output.say(f"note: {installation.pins_file} holds no pins of {installation.resource}")
        output.say("note: compare these two with your written copy:")
        output.say(f"  repository {found.repository_id}")
        output.say(f"  key        {found.key_fingerprint}")
    return repository


def choose_snapshot(repository: Repository, at: str, resource: ResourceName) -> Snapshot:
    """Return the snapshot that `at` means, and tell which it is."""
    found, issues = repository.snapshots()
    output.issues(issues, len(issues))
    snapshot = choose(found, at, resource=resource, localize=datetime.astimezone)
    output.say(f"snapshot {snapshot.id[:8]} of {output.local(snapshot.time)}")
    return snapshot
