"""Every error a person can see: a sentence, a hint, an exit code, and whether trying again helps.

The forms are filled with the facts given when an error is raised; a test compares the two.
"""

from typing import ClassVar

from unstoppable.domain.outcome import ExitCode


class UnstoppableError(Exception):
    """Something a person must be told; `str()` gives the sentence."""

    sentence_form: ClassVar[str]
    hint_form: ClassVar[str]
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    is_permanent: ClassVar[bool] = True
    """Whether the same command fails again until somebody changes something."""

    def __init__(self, **facts: object) -> None:
        super().__init__(self.sentence_form.format(**facts))
        self.facts = facts

    @property
    def hint(self) -> str:
        """What to do about it."""
        return self.hint_form.format(**self.facts)


# --- what was asked for -------------------------------------------------------------------------


class UsageError(UnstoppableError):
    """The settings or the arguments cannot be used."""

    exit_code = ExitCode.USAGE


class SettingUnknown(UsageError):
    """A name nobody reads, most likely a typo."""

    sentence_form = "unknown setting {name} in {origin}"
    hint_form = "did you mean {nearest}? `unstoppable config generate` tells every setting"


class SettingInvalid(UsageError):
    """A value that cannot be used."""

    sentence_form = "{name} in {origin} cannot be used: {reason}"
    hint_form = "correct it; `unstoppable config generate` tells what it may hold"


class SettingMissing(UsageError):
    """A setting this command needs."""

    sentence_form = "{name} is not set"
    hint_form = "set it in {env_file} or in the environment; `unstoppable init DIR` writes them all"


class EnvFileMissing(UsageError):
    """The settings file that was named does not exist."""

    sentence_form = "there is no settings file {path}"
    hint_form = "name another one with --env-file, or make it with `unstoppable init DIR`"


class EnvFileUnreadable(UsageError):
    """The settings file is there but cannot be read."""

    sentence_form = "cannot read {path}: {cause}"
    hint_form = "root's settings are root's alone; run this as the user they belong to"


class EnvFileAppeared(UsageError):
    """Somebody else wrote the settings file while this set-up went on."""

    sentence_form = "{path} was written by somebody else just now"
    hint_form = "run `unstoppable init` again; it goes on with what is there"
    is_permanent = False


class EnvFileInvalid(UsageError):
    """A line of the settings file that says nothing."""

    sentence_form = "line {line} of {path} cannot be used: {reason}"
    hint_form = "a line is NAME=VALUE; put a value with spaces or # into single quotes"


class FileUnsafe(UsageError):
    """A configuration or secret file that other people can change or read."""

    sentence_form = "{path} is not safe: {reason}"
    hint_form = "{remedy}"


class SecretUnreadable(UsageError):
    """The file that holds a secret cannot be read."""

    sentence_form = "cannot read {path} for {name}: {cause}"
    hint_form = "the file has to be there, and to hold the value alone"


class KeyInvalid(UsageError):
    """A key that is not one of ours; its value is never told."""

    sentence_form = "{name} is not a key: {reason}"
    hint_form = "a key is {digits} hexadecimal digits, or the groups of its recovery sheet"


class NameInvalid(UsageError):
    """A customer or resource name outside the permitted letters."""

    sentence_form = "'{name}' is not a name"
    hint_form = "names are 1 to 20 of a-z, 0-9 and -, with no - at either end"


class ResourceUnknown(UsageError):
    """A resource that is not configured."""

    sentence_form = "there is no resource {asked}"
    hint_form = "name {configured}, which is configured, or leave it out"


class DirectoryMissing(UsageError):
    """Init was asked for something that is no directory."""

    sentence_form = "{path} is not a directory"
    hint_form = "name the directory that is to be backed up"


class DirectoryUnwritable(UsageError):
    """A directory whose name no settings file can hold."""

    sentence_form = "{path} has a name that is no UTF-8 text"
    hint_form = "rename it, or back up the directory above it"


class SourceConflict(UsageError):
    """Init was asked for another directory than the one configured."""

    sentence_form = "{env_file} already backs up {configured}, not {asked}"
    hint_form = "for a second directory name another settings file with --env-file"


class SourceInsideRepository(UsageError):
    """A source in one of our own folders, where everything is left out."""

    sentence_form = "the source {source} lies inside {name}={folder}"
    hint_form = "back up another directory, or keep {name} elsewhere"


class NotForTerminals(UsageError):
    """Bytes that a terminal might obey."""

    sentence_form = "this is no plain text and was not written to the terminal"
    hint_form = "write it to a file with --to FILE, or into a pipe"


class TargetOccupied(UsageError):
    """Restore never mixes with files that are there unless it was told to."""

    sentence_form = "cannot restore {resource}: {cause}"
    hint_form = (
        "choose a folder that is empty or does not exist yet, or with other content --overwrite "
        "to replace what differs; an unfinished restore goes on with its own --at ID and --path, "
        "or delete its file .unstoppable-restore-ID"
    )


class MomentInvalid(UsageError):
    """`--at` holds neither a word, an id nor a date."""

    sentence_form = "'{at}' is neither latest, a snapshot id nor a date"
    hint_form = "for example: --at latest, --at 1a2b3c4d, --at 2026-11-24, --at '2026-11-24 08:30'"


class ScheduleInvalid(UsageError):
    """A text that is no schedule."""

    sentence_form = "'{text}' is no schedule: {reason}"
    hint_form = "five fields of a cron line and, if not UTC, a zone: 17 2 * * * Europe/Berlin"


class Refused(UsageError):
    """The engine cannot use what it was given."""

    sentence_form = "cannot do this for {resource}: {cause}"
    hint_form = (
        "correct that: `unstoppable ls` lists what a snapshot holds, --help what may be asked"
    )


# --- what was found -----------------------------------------------------------------------------


class SnapshotUnknown(UnstoppableError):
    """No snapshot is meant by `--at`."""

    sentence_form = "no snapshot of {resource} matches {at}"
    hint_form = "`unstoppable snapshots` lists them; an incomplete one is chosen by its id alone"


class SnapshotAmbiguous(UnstoppableError):
    """An abbreviated id means several snapshots."""

    sentence_form = "{at} is the beginning of {count} snapshot ids of {resource}"
    hint_form = "give more digits of the id"


class UnfinishedUnknown(UnstoppableError):
    """The snapshot of a restore that was cut off is gone."""

    sentence_form = (
        "cannot go on with the unfinished restore of {resource}: there is no snapshot {snapshot}"
    )
    hint_form = "delete {claim} and restore with --overwrite, or into an empty folder"


class NoRepository(UnstoppableError):
    """Nothing lies where the repository should."""

    sentence_form = "cannot open repository of {resource}: {cause}"
    hint_form = "is cold the right place? `unstoppable init DIR` makes a repository the first time"
    exit_code = ExitCode.NO_REPOSITORY


class RepositoryExists(UnstoppableError):
    """A repository lies where a new one was to be made."""

    sentence_form = "cannot create repository of {resource}: {cause}"
    hint_form = "bring back the settings file that holds its key, or choose other folders"


class WrongKey(UnstoppableError):
    """The key does not open the repository."""

    sentence_form = "cannot open repository of {resource}: {cause}"
    hint_form = "the key or the repository was replaced; compare with your written copy of the key"
    exit_code = ExitCode.WRONG_KEY


class PinBroken(UnstoppableError):
    """The repository is not the one that was created."""

    sentence_form = "cannot trust repository of {resource}: {cause}"
    hint_form = "somebody replaced it, or cold storage is not the right one; nothing was written"
    exit_code = ExitCode.WRONG_KEY


class PinsMissing(UnstoppableError):
    """No pins for the resource; a backup never learns them."""

    sentence_form = "{path} holds no pins of {resource}"
    hint_form = (
        "bring the file back from a copy, or compare id and key as `unstoppable snapshots` tells "
        "them with your written copy, then `unstoppable init --pin ID`"
    )
    exit_code = ExitCode.WRONG_KEY


class PinsInvalid(UnstoppableError):
    """A pins file that cannot be read."""

    sentence_form = "{path} cannot be used: {reason}"
    hint_form = "bring it back from a copy, or move it away; then it is as if the pins were lost"
    exit_code = ExitCode.WRONG_KEY


class SourceUnavailable(UnstoppableError):
    """The source is not there."""

    sentence_form = "cannot read the source of {resource}: {cause}"
    hint_form = "is it mounted, and may this user read it?"
    is_permanent = False


class SourceLost(UnstoppableError):
    """The source went away while it was read."""

    sentence_form = "the source of {resource} went away; incomplete snapshot {snapshot} was kept"
    hint_form = "is it mounted? the next run goes on from there"
    is_permanent = False


class StorageFailed(UnstoppableError):
    """Hot or cold storage answered with an error."""

    sentence_form = "storage of {resource} failed: {cause}"
    hint_form = "is it there, and can it be written? what was stored before is untouched"
    is_permanent = False


class StorageFull(StorageFailed):
    """Hot or cold storage has no room left."""

    hint_form = "make room or grow it, then run the backup again; what was stored is untouched"


class RepositoryDamaged(UnstoppableError):
    """Bytes in the repository are not what their name says."""

    sentence_form = "repository of {resource} is damaged: {cause}"
    hint_form = "`unstoppable check --read-data all` lists what is damaged; keep the disk as it is"


class Busy(UnstoppableError):
    """Another run of the customer is going on."""

    sentence_form = "{resource} is busy: {holder}"
    hint_form = "nothing was started; the next run after it will do"
    exit_code = ExitCode.SKIPPED
    is_permanent = False


class SlotServed(UnstoppableError):
    """Somebody else started the run that was due."""

    sentence_form = "another run serves what is due for {resource}"
    hint_form = "nothing is to be done"
    exit_code = ExitCode.SKIPPED
    is_permanent = False


class Cancelled(UnstoppableError):
    """Somebody asked to stop."""

    sentence_form = "cancelled {resource}: nothing was stored"
    hint_form = "run it again when it suits you"
    exit_code = ExitCode.CANCELLED
    is_permanent = False


class ReadingCancelled(Cancelled):
    """Somebody asked to stop what only reads."""

    sentence_form = "cancelled {resource}: nothing was changed"


class CutOff(Cancelled):
    """Somebody asked to stop what can go on later."""

    sentence_form = "cancelled {resource}: what was done until then stays"
    hint_form = "the same command goes on from there"


class Killed(UnstoppableError):
    """A run whose process ended without a word."""

    sentence_form = "killed: the process {pid} of this run ended without a word"
    hint_form = "look for an out-of-memory kill or a reboot in the system's log"
    is_permanent = False


class FolderUnusable(UnstoppableError):
    """A folder of ours cannot be made or used."""

    sentence_form = "cannot use {path}: {cause}"
    hint_form = "mend it, or name another folder in the settings"


class JournalUnusable(UnstoppableError):
    """The journal of runs cannot be read or written."""

    sentence_form = "the journal {path} cannot be used: {cause}"
    hint_form = "may this user write there, and is there room? a damaged one can be moved away"


class OutputFailed(UnstoppableError):
    """What a command has to say could not be written."""

    sentence_form = "cannot write the output: {cause}"
    hint_form = (
        "is there room, and may this user write there? `unstoppable runs` tells what was done"
    )


class SystemRefused(UnstoppableError):
    """The operating system refused something nobody expected it to refuse."""

    sentence_form = "the system refused: {cause}"
    hint_form = "run it again with -v to see where"
    is_permanent = False


class Fault(UnstoppableError):
    """A mistake of the program itself."""

    sentence_form = "a fault in the program, not in your data: {cause}"
    hint_form = "run it again with -v and report what it shows"


def unexpected(error: Exception) -> UnstoppableError:
    """Return the error for an exception that nobody translated, which it keeps as its cause."""
    found: UnstoppableError
    if isinstance(error, OSError):
        found = SystemRefused(cause=error)
    else:
        found = Fault(cause=f"{type(error).__name__}: {error}")
    found.__cause__ = error
    return found
