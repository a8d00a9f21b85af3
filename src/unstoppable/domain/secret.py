"""A secret that is given when somebody needs it, not before."""

from typing import Protocol


class Secret(Protocol):
    """Something that gives a secret when a run needs it; its `repr` never shows one."""

    def resolve(self) -> str:
        """Return the secret."""
