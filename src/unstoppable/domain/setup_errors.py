"""Errors of setting up an installation, in the form of all errors."""

from unstoppable.domain.errors import UnstoppableError, UsageError


class PathUnfit(UnstoppableError):
    """A path that cannot stand in a unit or a crontab."""

    sentence_form = "{path} cannot be written into a systemd unit or a crontab"
    hint_form = "use a path without quotes, backslashes, dollar signs and control characters"


class CallerUnusable(UnstoppableError):
    """Neither systemd nor cron does what it is asked."""

    sentence_form = "cannot have {what} call the schedule: {cause}"
    hint_form = "{way_out}"


class KeyLost(UsageError):
    """No key for a repository that is pinned: another one would open nothing."""

    sentence_form = "{name} is not set, and {resource} has a repository made with it"
    hint_form = "type it from the recovery sheet into {env_file}; no other key opens what is stored"


class SettingsElsewhere(UsageError):
    """Settings that a timer would not have."""

    sentence_form = "{names} from the environment would be missing when the schedule is called"
    hint_form = "write them into {env_file}, a secret as NAME_FILE, then try again"


class ReferenceElsewhere(UsageError):
    """A secret in a variable, which a timer would not have."""

    sentence_form = (
        "{name} of {resource} is {reference}, a variable that would be missing when the schedule "
        "is called"
    )
    hint_form = "write it alone into a file, 0600, and file:/PATH into {path}"


class InitForOne(UsageError):
    """Init was asked to set up one directory where there are many customers."""

    sentence_form = "init sets up one directory, and {folder} holds customers"
    hint_form = (
        "`unstoppable customer add NAME --resource NAME=DIR` adds one; for one directory beside "
        "them name another settings file with --env-file"
    )


class NotProved(UnstoppableError):
    """A first backup of which nothing could be restored."""

    sentence_form = "{resource} is stored, but no sample of it could be restored: {cause}"
    hint_form = "`unstoppable check --read-data all` tells what is wrong in cold"


class CameBackDifferent(UnstoppableError):
    """A file that was restored is not what was backed up."""

    sentence_form = "{count} of {files} came back from {resource} different, {path} first"
    hint_form = (
        "check memory and disks, then `unstoppable check --read-data all`; trust no backup yet"
    )


class EnvFileTooLarge(UsageError):
    """A settings file that is none, most likely."""

    sentence_form = "the settings file {path} is larger than {limit}"
    hint_form = "is it the right file? what settings say takes a few KiB"
