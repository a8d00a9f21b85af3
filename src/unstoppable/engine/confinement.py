"""The process of a run gives up what it does not need."""

import os
from dataclasses import dataclass
from pathlib import Path

import unstoppable_engine

from unstoppable.domain.confinement import Confinement
from unstoppable.domain.names import ResourceName
from unstoppable.engine.translation import copy, translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a process may go on to use; a folder stands for all beneath it."""

    read: tuple[Path, ...]
    write: tuple[Path, ...]
    """Read as well."""
    connect_ports: tuple[int, ...] | None
    """Of TCP; None for any."""


def confine(needs: Needs, resource: ResourceName) -> Confinement:
    """Give up everything else, for good; returns what of that this kernel can keep.

    Before any work began: a process that has threads already is a Fault.
    """
    with translated(resource):
        found = unstoppable_engine.confine(
            read=[str(path) for path in needs.read],
            write=[str(path) for path in needs.write],
            connect_ports=needs.connect_ports,
        )
    missing = tuple(map(os.fsdecode, found.missing))
    return copy(Confinement, found, missing=missing, children=False)


def forbid_dumps() -> None:
    """Keep what this process holds in memory out of core dumps, and from others of its user."""
    unstoppable_engine.forbid_dumps()
