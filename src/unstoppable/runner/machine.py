"""Which machine and program this is, as records tell it."""

import socket
from functools import cache
from importlib.metadata import version

from unstoppable.domain.run import HOST_KEPT
from unstoppable.domain.text import printable


def host() -> str:
    """Return the name that this machine goes by; anybody may have given it any."""
    return printable(socket.gethostname())[:HOST_KEPT]


@cache
def program_version() -> str:
    """Return the program and its version, as in snapshots: `unstoppable 0.1.0`."""
    return f"unstoppable {version('unstoppable-backups')}"
