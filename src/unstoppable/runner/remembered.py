"""When resources are due as far as it was known last, for when their settings cannot be used."""

import json
from collections.abc import Mapping
from pathlib import Path

from unstoppable.domain.errors import FolderUnusable, UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.schedule import Schedule
from unstoppable.runner.files import make_private_folder, replace

NAME = "schedules.json"


def read(state: Path) -> dict[ResourceName, Schedule]:
    """Return what was kept; nothing where that cannot be read, and the next `keep` replaces it."""
    try:
        found = json.loads((state / NAME).read_bytes())
        return {ResourceName.parse(name): Schedule.parse(line) for name, line in found.items()}
    except (OSError, ValueError, AttributeError, RecursionError, UnstoppableError):
        return {}


def keep(state: Path, schedules: Mapping[ResourceName, Schedule]) -> None:
    """Remember these and no others; raises FolderUnusable."""
    told = {str(resource): str(schedules[resource]) for resource in sorted(schedules)}
    try:
        make_private_folder(state)
        replace(state / NAME, (json.dumps(told, indent=1) + "\n").encode())
    except OSError as error:
        raise FolderUnusable(path=state / NAME, cause=error.strerror) from error
