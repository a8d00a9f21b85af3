"""Errors of storage that a bucket alone has; as in `errors`."""

from unstoppable.domain.errors import StorageFailed


class StorageDenied(StorageFailed):
    """Cold storage refuses the credential."""

    hint_form = "has the access key the rights of its role? what was stored before is untouched"
