"""Errors about what is mounted; as in `errors`."""

from unstoppable.domain.errors import UnstoppableError


class SourceUnmounted(UnstoppableError):
    """What the source lay on at the last backup is not mounted."""

    sentence_form = (
        "the source {source} of {resource} {place} at the last backup and is none now: "
        "nothing was stored"
    )
    hint_form = "mount it; if it is gone for good, `unstoppable backup --accept-shrink`"
    is_permanent = False


class MountsUnknown(UnstoppableError):
    """The kernel's table of what is mounted cannot be read."""

    sentence_form = "what is mounted is not known: {path} cannot be used: {cause}"
    hint_form = (
        "a disk that is not mounted goes unnoticed: is /proc mounted, and may this user read it?"
    )
