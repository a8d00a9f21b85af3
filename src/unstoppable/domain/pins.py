"""Pins: values of a repository that must never change."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self

from unstoppable.domain.errors import NameInvalid
from unstoppable.domain.names import ResourceName

VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")


class PinsMalformed(ValueError):
    """The text holds no pins; its argument says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """The pins of one resource; ids and hashes are 64 lower-case hex digits."""

    repository_id: str
    config_sha256: str
    key_fingerprint: str
    generation: int

    @classmethod
    def from_fields(cls, found: object) -> Self:
        """Return the pins written as a JSON object; raises PinsMalformed."""
        names = {field.name for field in fields(cls)}
        if not isinstance(found, dict) or set(found) != names:
            raise PinsMalformed("pins are " + ", ".join(sorted(names)))
        generation = found["generation"]
        if type(generation) is not int or generation < 1:
            raise PinsMalformed("generation is not a number from 1 on")
        for name in sorted(names - {"generation"}):
            if not isinstance(found[name], str) or not _DIGEST.fullmatch(found[name]):
                raise PinsMalformed(name + " is not 64 hex digits")
        return cls(**found)


def read_pins(text: str) -> dict[ResourceName, Pins]:
    """Return the pins of every resource in the text of a pins file; raises PinsMalformed."""
    try:
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise PinsMalformed("it is not JSON: " + str(error)) from error
    except RecursionError as error:
        raise PinsMalformed("it is nested too deeply") from error
    if not isinstance(document, dict) or set(document) != {"version", "resources"}:
        raise PinsMalformed("it is not an object of version and resources")
    if type(document["version"]) is not int or document["version"] != VERSION:
        raise PinsMalformed("its version is not 1")
    if not isinstance(document["resources"], dict):
        raise PinsMalformed("resources is not an object")
    try:
        return {
            ResourceName.parse(name): Pins.from_fields(found)
            for name, found in document["resources"].items()
        }
    except NameInvalid as error:
        raise PinsMalformed(str(error)) from error


def write_pins(pins: Mapping[ResourceName, Pins]) -> str:
    """Return the text of a pins file."""
    document = {
        "version": VERSION,
        "resources": {str(resource): asdict(pins[resource]) for resource in sorted(pins)},
    }
    return json.dumps(document, indent=2) + "\n"


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PinsMalformed("a name stands in it twice")
    return found
