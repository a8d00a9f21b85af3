"""Errors of runs that were stopped because they took too long; as in `errors`."""

from unstoppable.domain.errors import UnstoppableError


class RunStopped(UnstoppableError):
    """A run that nobody wanted to stop, and that had to be."""

    is_permanent = False


class StoodStill(RunStopped):
    """A run that moved nothing any more."""

    sentence_form = "stopped {resource}: for {limit} not a byte was read, stored or listed; {kept}"
    hint_form = (
        "does a disk, a mount or a server hang that it reads or writes? the next run goes on from "
        "what was kept"
    )


class WentSilent(RunStopped):
    """A run whose process hung before it could watch itself, or was halted."""

    sentence_form = "its process gave no sign of life for {limit} and was ended"
    hint_form = (
        "was it halted, or does something hang that it needs before it begins, such as the folder "
        "of hot or of the state?"
    )


class WentOn(RunStopped):
    """A run that took longer than its max_runtime, and did not see to its end itself."""

    sentence_form = "its process went on for longer than max_runtime allows, {limit}, and was ended"
    hint_form = (
        "a run ends itself before that: does it hang, or did somebody take it over, such as the "
        "server that it reads?"
    )


class SecretsSlow(RunStopped):
    """Secrets that nobody gave in time."""

    sentence_form = "reading them took longer than {limit}"
    hint_form = "`unstoppable secrets check {resource}` tries each of them"


class RanTooLong(RunStopped):
    """A run that took longer than its max_runtime."""

    sentence_form = "stopped {resource}: it took longer than max_runtime allows, {limit}; {kept}"
    hint_form = (
        "the next run goes on from what was kept; where it needs longer, raise "
        "UNSTOPPABLE_MAX_RUNTIME, or max_runtime in the customer's file"
    )
