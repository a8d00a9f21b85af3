"""Errors of secrets that one process hands to another; as in `errors`."""

from unstoppable.domain.errors import UsageError


class SecretsNotTaken(UsageError):
    """What was to bring secrets does not; no value of it is ever told."""

    sentence_form = "cannot take secrets from descriptor {descriptor}: {reason}"
    hint_form = (
        "--secrets-fd is for a program that starts this one: it writes one JSON object of names "
        "and values into a pipe, closes it, and passes the other end, 3 or above"
    )
