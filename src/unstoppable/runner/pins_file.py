"""The pins of an installation, in a file beside its settings."""

import os
from pathlib import Path

from unstoppable.domain.errors import FolderUnusable, PinsInvalid, PinsMissing
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins, PinsMalformed, read_pins, write_pins
from unstoppable.runner.files import remove_drafts, replace
from unstoppable.secrets.bounded import open_plain
from unstoppable.secrets.reference import refuse_unsafe

_LARGEST_FILE_BYTES = 16 * 2**20


def find(path: Path, resource: ResourceName) -> Pins | None:
    """Return the pins of a resource, None if there are none; raises PinsInvalid, FileUnsafe."""
    return everything(path).get(resource)


def require(path: Path, resource: ResourceName) -> Pins:
    """Return the pins of a resource; raises PinsMissing, PinsInvalid or FileUnsafe."""
    pins = find(path, resource)
    if pins is None:
        raise PinsMissing(path=path, resource=resource)
    return pins


def add(path: Path, resource: ResourceName, pins: Pins) -> None:
    """Keep the pins of a resource that had none; only while the lane is held.

    Who may read the file stays as it was. Raises what `refuse_other` does, or FolderUnusable.
    """
    refuse_other(path, resource, pins)
    kept = {**everything(path), resource: pins}
    try:
        remove_drafts(path)
        replace(path, write_pins(kept).encode(), keeps_readers=True)
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


def refuse_other(path: Path, resource: ResourceName, pins: Pins) -> None:
    """Raise PinsInvalid where a resource has other pins; or FileUnsafe."""
    if everything(path).get(resource, pins) != pins:
        raise PinsInvalid(path=path, reason=f"{resource} is pinned to another repository")


def everything(path: Path) -> dict[ResourceName, Pins]:
    """Return all pins of a file, none where it is not there; raises PinsInvalid, FileUnsafe."""
    try:
        with open_plain(path) as file:
            refuse_unsafe(path, os.fstat(file.fileno()), is_secret=False)
            return read_pins(file.read(_LARGEST_FILE_BYTES).decode())
    except FileNotFoundError:
        return {}
    except (PinsMalformed, UnicodeDecodeError) as error:
        raise PinsInvalid(path=path, reason=error) from error
    except OSError as error:
        raise PinsInvalid(path=path, reason=error.strerror) from error
