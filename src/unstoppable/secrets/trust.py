"""Whom to believe who a server is, over TLS."""

import ssl
from collections.abc import Callable
from pathlib import Path

from unstoppable.domain.errors import UnstoppableError
from unstoppable.secrets.reference import read_trusted


def trust(
    ca_file: Path | None, *, has_system: bool, unreadable: Callable[[str], UnstoppableError]
) -> ssl.SSLContext:
    """Return whom to believe: the system's authorities, those of a file, or both.

    Raises FileUnsafe, or what `unreadable` makes of why the file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if has_system:
        context.load_default_certs()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cadata=read_trusted(ca_file).decode())
    except (OSError, ValueError) as error:
        cause = "it holds no certificates"
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
            cause = error.strerror or cause
        raise unreadable(cause) from error
    return context
