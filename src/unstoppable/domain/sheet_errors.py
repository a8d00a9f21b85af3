"""Errors of recovery sheets; a part of the tree in errors.py."""

from unstoppable.domain.errors import UnstoppableError, UsageError


class SheetPlaceRefused(UsageError):
    """A folder from which the secret would go elsewhere."""

    sentence_form = "no recovery sheet is written to {folder}: {reason}"
    hint_form = "name another folder with `unstoppable key sheet --to FOLDER`"


class SheetExists(UsageError):
    """A file of a sheet's name is there; it is never overwritten."""

    sentence_form = "{path} is there already"
    hint_form = "print it and run `unstoppable key sheet --confirm`, or delete it, or use --to"


class SheetUnreadable(UnstoppableError):
    """It is not known whether a sheet that was written lies there still."""

    sentence_form = "what lies at {path} cannot be read: {cause}"
    hint_form = (
        "a sheet was written there: may this user read it, does what is mounted there answer? "
        "nothing was confirmed or deleted"
    )


class GroupWrong(UnstoppableError):
    """What was typed from paper is not what the key says; neither is told."""

    sentence_form = "group {number} is not that of the key of {resource}"
    hint_form = "look at the paper and try again; nothing was deleted"


class SheetRecordInvalid(UnstoppableError):
    """The file that remembers recovery sheets cannot be read."""

    sentence_form = "{path} cannot be used: {reason}"
    hint_form = "move it away; then write the recovery sheet again and confirm it"
