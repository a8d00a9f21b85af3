"""Errors of runs that were stopped because they took too long; as in `errors`."""

from unstoppable.domain.errors import UnstoppableError


class RunStopped(UnstoppableError):
    """A run that nobody wanted to stop, and that had to be."""

    is_permanent = False


class RanTooLong(RunStopped):
    """A run that took longer than its max_runtime."""

    sentence_form = "stopped {resource}: it took longer than max_runtime allows, {limit}; {kept}"
    hint_form = (
        "the next run goes on from what was kept; where it needs longer, raise "
        "UNSTOPPABLE_MAX_RUNTIME, or max_runtime in the customer's file"
    )
