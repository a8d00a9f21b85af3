"""Errors of setting up and of asking: what is wrong before anything is tried."""

from unstoppable.domain.errors import NameInvalid, UnstoppableError, UsageError


class ResourceInvalid(NameInvalid):
    """A text that names no customer's resource."""

    sentence_form = "'{name}' is not a resource"
    hint_form = "write it as customer/resource, such as acme/www, or leave it out"


class FileIsThere(UsageError):
    """A file that was to be written and is there."""

    sentence_form = "{path} is there already and is not overwritten"
    hint_form = "name a file that is not there yet, or move that one away"


class HomeUnknown(UsageError):
    """A user without a home, whose settings could be anywhere."""

    sentence_form = "the home of user {user} is not known: HOME is not set"
    hint_form = (
        "set HOME, or name the settings file with --env-file and in it UNSTOPPABLE_HOT, "
        "UNSTOPPABLE_COLD and UNSTOPPABLE_STATE"
    )


class SettingsIncomplete(UsageError):
    """A settings file that init would have to change."""

    sentence_form = "{env_file} does not set {name}, and init never changes a file that is there"
    hint_form = "{remedy}, or move the file away and init writes one with a fresh key"


class ScheduleRare(UsageError):
    """A schedule that makes no backup for longer than anybody expects."""

    sentence_form = "the schedule {schedule} of {resource} is not due within a year"
    hint_form = "correct {name}; a 29 February, say, comes every fourth year alone"


class SourceEmpty(UnstoppableError):
    """A source that holds nothing, most likely because it is not mounted."""

    sentence_form = "the source {source} of {resource} is empty"
    hint_form = "is it mounted? a backup of it would be partial"
    is_permanent = False


class FolderFull(UnstoppableError):
    """A folder of ours where next to nothing can be written."""

    sentence_form = "{path} is full: {free} are free"
    hint_form = "make room or grow it; a backup needs room for what is new, and some more"
    is_permanent = False


class ClockBehind(UnstoppableError):
    """A clock that was put back, or a snapshot of the future."""

    sentence_form = (
        "the clock says {now}, but the newest snapshot of {resource}, {snapshot}, is of {time}"
    )
    hint_form = "set the clock; until then nobody can tell which snapshot is the newest"
