"""Backup and restore of rustic-format repositories.

Every call runs its work on a thread of its own with the GIL released.  While it waits, the
calling thread runs Python's signal handlers and calls `progress` at most five times a second;
an exception from either cancels the work, and is raised once the work has stopped.
The module works only in the process that imported it: after a fork every call raises EngineBug.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, Self, final

__version__: Final[str]

IssueKind = Literal[
    # these make a backup partial
    "unreadable",
    "listing",
    "shrunk",
    "rewritten",
    "empty-source",
    "source-shrank",
    # these are only told
    "vanished",
    "grew",
    "attributes",
    "own-files",
    "hot-incomplete",
    "hot-mended",
    "ignored-object",
    "not-restored",
    # these come from restore and check
    "damaged",
    "unsafe-name",
    "not-written",
    "metadata",
]
EntryKind = Literal[
    "file",
    "folder",
    "symlink",
    "block-device",
    "character-device",
    "fifo",
    "socket",
    "unknown",
]
Mode = Literal["read", "append"]
Phase = Literal["opening", "working", "finishing"]

class EngineError(Exception):
    """Something failed; the text is one lower-case sentence with its causes after colons."""

class WrongKey(EngineError):
    """The key does not open the repository, or is not the pinned one."""

class PinBroken(EngineError):
    """The repository is not the pinned one: its config, id, birth names or generation differ."""

class NoRepository(EngineError):
    """There is no repository at the given place."""

class RepositoryExists(EngineError):
    """There is a repository already where one was to be created."""

class SourceUnavailable(EngineError):
    """The source is missing, is not a folder, or cannot be opened at all."""

class StorageError(EngineError):
    """Storage answered with an error."""

class StorageDenied(StorageError):
    """Storage refuses the credential."""

class StorageFull(StorageError):
    """Storage has no room left."""

class RepositoryDamaged(EngineError):
    """Bytes in the repository are not what their name or their key says."""

class Cancelled(EngineError):
    """The work was cancelled and left nothing to report."""

class TargetOccupied(EngineError):
    """The folder to restore into holds something that must not be replaced."""

class InvalidInput(EngineError):
    """An argument cannot be used; the sentence says why."""

class EngineBug(EngineError):
    """A fault of the engine itself, such as a panic."""

@final
class S3:
    """A part of a bucket of an S3-compatible server, and the credential to use there.

    The repository's `config` lies, or will lie, directly below `prefix`.  Nothing is read from the
    environment or from files of other programs.  `bytes_per_second` bounds both directions
    together; `patience_seconds` is how long a request is tried again, five minutes by default.
    """

    def __new__(
        cls,
        access_key_id: str,
        secret_access_key: str,
        *,
        endpoint: str,
        region: str,
        bucket: str,
        prefix: str,
        virtual_host: bool = False,
        ca_file: str | None = None,
        connections: int | None = None,
        bytes_per_second: int | None = None,
        patience_seconds: int | None = None,
    ) -> Self: ...

@final
class Ftps:
    """A folder of an FTPS server (explicit TLS, passive), and who one is there.

    The certificate is believed by the authorities of this machine, by those in `authorities` (the
    content of a PEM file) alone, or by `pin`, the SHA-256 of its public key, alone.  A name that
    leads to a private network is refused without `allow_private`; an address never is.
    A file whose size and time did not change is read anew every `reread_seconds`, by default 30
    days.

    Opening a connection takes `connect_seconds` at most (20), silence `idle_seconds` (60); a server
    that does nothing it is asked is given up after `patience_seconds` (600).  What is more than
    `max_files` (10 million, folders too), `max_bytes` (16 TiB) or `max_seconds` (a day) makes the
    snapshot incomplete.  What files and folders hold comes no faster than `bytes_per_second`, over
    all connections together; by default as fast as it can.
    """

    def __new__(
        cls,
        host: str,
        path: str | bytes,
        *,
        user: str,
        password: str,
        port: int = 21,
        authorities: bytes | None = None,
        pin: bytes | None = None,
        allow_private: bool = False,
        connections: int = 8,
        reread_seconds: int | None = None,
        connect_seconds: int | None = None,
        idle_seconds: int | None = None,
        patience_seconds: int | None = None,
        max_files: int | None = None,
        max_bytes: int | None = None,
        max_seconds: int | None = None,
        bytes_per_second: int | None = None,
    ) -> Self: ...

@final
class FtpsEntry:
    """An entry of a folder, as a server lists it."""

    @property
    def name(self) -> bytes: ...
    @property
    def kind(self) -> Literal["file", "folder", "symlink", "other"]: ...
    @property
    def size_bytes(self) -> int | None: ...
    @property
    def modified_seconds(self) -> int | None:
        """Since 1970, as the server counts them."""

@final
class FtpsVisit:
    """One connection to a server, logged in, for whoever looks around there.

    Paths are relative to the source.  Raises SourceUnavailable.
    """

    def __new__(cls, place: Ftps) -> Self: ...
    @property
    def greeting(self) -> str:
        """How the server greets; like all of its words fit to be shown."""
    @property
    def tls_version(self) -> str: ...
    @property
    def features(self) -> list[str]:
        """What it says that it knows, in capital letters."""
    @property
    def pin(self) -> bytes:
        """The SHA-256 of its public key."""
    @property
    def transfers(self) -> int:
        """Data connections so far."""
    @property
    def resumed(self) -> int:
        """Those of them that resumed the TLS session."""
    def folder(self, path: str | bytes) -> tuple[list[FtpsEntry], list[str]]:
        """Return what a folder holds, and the names in it that no backup can hold."""
    def read(self, path: str | bytes, most_bytes: int) -> bytes:
        """Return the content of a file."""

def ftps_pin(place: Ftps) -> bytes:
    """Return the SHA-256 of the public key that a server shows to anybody; nobody logs in."""

@final
class Cancel:
    """A wish to stop, shared with a running call; it stops within a second."""

    def __new__(cls) -> Self: ...
    def set(self) -> None:
        """Ask the work to stop; may be called from any thread and from a signal handler."""
    def is_set(self) -> bool: ...

@final
class Progress:
    """How far a call is."""

    phase: Phase
    bytes_done: int
    bytes_total: int | None
    """None while unknown."""
    entries_done: int
    entries_total: int | None
    """None while unknown."""

@final
class Birth:
    """Who a repository was made for; names match `[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?`.

    Raises InvalidInput for other names or a generation below 1.
    """

    customer: str
    resource: str
    generation: int
    def __new__(cls, customer: str, resource: str, generation: int) -> Self: ...

@final
class Pins:
    """Values of a repository that must never change; ids and hashes are 64 hex digits."""

    repository_id: str
    config_sha256: str
    key_fingerprint: str
    generation: int
    def __new__(
        cls, *, repository_id: str, config_sha256: str, key_fingerprint: str, generation: int
    ) -> Self: ...

@final
class Issue:
    """One path and what happened to it."""

    kind: IssueKind
    path: bytes
    """Relative to the source (backup) or to the restored folder; an object's name for damage."""
    message: str
    is_note: bool
    """True for what is told but makes no run partial."""

@final
class BackupSummary:
    """A snapshot that was stored and proved on cold."""

    snapshot_id: str
    tags: list[str]
    """`incomplete` for a run that was cancelled, `partial` for one with issues."""
    issues: list[Issue]
    """The first 10,000 at most."""
    issue_count: int
    """All issues that are not notes."""
    note_count: int
    files_total: int
    """Files, links and other entries that are not folders in the snapshot."""
    files_new: int
    files_changed: int
    files_unchanged: int
    bytes_total: int
    """Bytes of all files in the snapshot."""
    bytes_read: int
    """Bytes read from the source by this run."""
    bytes_added: int
    """Bytes this run added to cold, compressed and encrypted."""

@final
class Snapshot:
    """A snapshot in the repository."""

    id: str
    time_seconds: int
    """When its run started, in seconds since 1970, UTC."""
    customer: str
    resource: str
    tags: list[str]
    run_id: str
    files_total: int | None
    """None in a snapshot of a program that wrote no summary."""
    bytes_total: int | None

@final
class RestoreSummary:
    """What a restore wrote."""

    files: int
    folders: int
    others: int
    """Links, and with `exact` devices, sockets and pipes."""
    bytes_written: int
    """Bytes of all files, those that were right already included."""
    bytes_kept: int
    """Bytes of them that were right already."""
    issues: list[Issue]
    issue_count: int
    note_count: int

@final
class RestorePlan:
    """What a restore would write."""

    files: int
    folders: int
    others: int
    bytes_total: int
    """Of all files; one that has several names counts once."""
    issues: list[Issue]
    issue_count: int
    note_count: int

@final
class Entry:
    """An entry of a snapshot."""

    path: bytes
    """Below the source's folder; empty for that folder itself."""
    kind: EntryKind
    target: bytes | None
    """What a symbolic link points to."""
    mode: int | None
    """Twelve bits."""
    uid: int | None
    gid: int | None
    user: str | None
    group: str | None
    size_bytes: int
    modified_seconds: int | None
    """Since 1970, UTC."""
    snapshot_id: str

@final
class Entries:
    """Entries of snapshots, in batches, while the work goes on.

    A batch is raised instead of given: StorageError, RepositoryDamaged, Cancelled, and InvalidInput
    for an unknown snapshot or path, or a pattern that cannot be used.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> list[Entry]: ...
    def close(self) -> None:
        """Stop the work and wait until it has stopped."""

    def issues(self) -> tuple[list[Issue], int, int]:
        """Return what was left out, and how many problems and notes; none before the end."""

@final
class Content:
    """Verified content, in chunks, while the work goes on.

    A chunk is raised instead of given where the rest cannot be had: RepositoryDamaged,
    StorageError, Cancelled, and InvalidInput for an unknown snapshot or path.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None:
        """Stop the work and wait until it has stopped."""

    def issues(self) -> tuple[list[Issue], int, int]:
        """Return what was left out, and how many problems and notes; none before the end."""

@final
class CheckSummary:
    """What a check read and found."""

    snapshots: int
    objects: int
    bytes_read: int
    issues: list[Issue]
    """Every one is damage: `path` is the object's name, or that of the snapshot it harms."""
    issue_count: int

@final
class HotSummary:
    """What was done, or with `dry_run` would be done, to the cache."""

    kept: int
    """Objects that were there and right."""
    filled: int
    """Objects that were taken from cold, verified by their names."""
    filled_bytes: int
    set_aside: int
    """Objects that were wrong or do not belong into the cache."""
    issues: list[Issue]
    """Every one is an object of cold that is damaged or cannot be read."""
    issue_count: int

@final
class Confinement:
    """What holds of a process that confined itself, and of its children."""

    abi: int
    """The version of Landlock that this kernel has; 0 where it has none that suffices (2), or it
    is not switched on."""
    files: bool
    """Whether nothing but the given paths can be opened, made, moved or removed, and nothing
    executed.  Other files can still be cut short before version 3, and ioctl is free before 5."""
    network: bool
    """Whether TCP is connected to the given ports alone and none is listened on (4)."""
    processes: bool
    """Whether no signal and no abstract socket reaches a process outside (6)."""
    missing: list[str]
    """Given paths that are not there or cannot be looked at."""

ProgressCallback = Callable[[Progress], object]

def confine(
    *, read: Sequence[str], write: Sequence[str], connect_ports: Sequence[int] | None = None
) -> Confinement:
    """Confine this process for good to reading `read` and to reading and writing `write`.

    A folder stands for all beneath it, file systems that are mounted there included.  Symbolic
    links among the paths are resolved now, and a file that is replaced later is another one.
    Written are files and folders; devices, pipes, sockets and symbolic links are never made.
    Without `connect_ports` the network stays as it is.

    It also sets `no_new_privs`: no program that is executed gains a user or a capability.
    Raises EngineBug where this process has more than one thread, because only one is confined.
    """

def forbid_dumps() -> None:
    """Keep the memory of this process out of core dumps and from other processes of its user."""

def generate_root_secret() -> bytes:
    """Return 32 bytes from the operating system's generator."""

def derive_repository_key(root_secret: bytes, birth: Birth) -> bytes:
    """Return the 64-byte repository key of `birth`.

    Raises InvalidInput for a secret that is not 32 bytes or was not generated.
    """

def fingerprint(repository_key: bytes) -> str:
    """Return the 64 hex digits that name a key without telling it; raises InvalidInput."""

def claim_name(snapshot_id: str) -> str:
    """Return the name of the file that says that a restore of this snapshot is not finished.

    Raises InvalidInput for what is no snapshot's id.
    """

def claimed_snapshot(name: str | bytes) -> str | None:
    """Return the snapshot whose restore a file of this name says is not finished."""

def create_repository(
    *, cold: str | S3, hot: str | None, key: bytes, birth: Birth, created_at_seconds: int
) -> Pins:
    """Create the repository in cold and an empty cache in hot; returns the pins to keep.

    `cold` and `hot` are the repository's own folders, generation included.
    Raises RepositoryExists when either holds a config.
    """

@final
class Repository:
    """An open repository."""

    pins: Pins
    """As found; compare with the recovery sheet where none were given."""
    birth: Birth

    @staticmethod
    def open(
        *,
        cold: str | S3,
        hot: str | None,
        key: bytes,
        pins: Pins | None,
        mode: Mode,
        birth: Birth | None = None,
    ) -> Repository:
        """Open and check the key, and the pins and the birth where given; nothing is written.

        Only hot is brought in line with cold; where it cannot be, cold alone is used.

        Raises NoRepository, WrongKey, PinBroken, StorageError, RepositoryDamaged.
        """

    def backup(
        self,
        source: str | bytes | Ftps,
        *,
        run_id: str,
        started_at_seconds: int,
        exclude: Sequence[str] = ...,
        own_folders: Sequence[str] = ...,
        one_file_system: bool = ...,
        max_shrink_percent: int | None = ...,
        progress: ProgressCallback | None = ...,
        cancel: Cancel | None = ...,
    ) -> BackupSummary:
        """Store the folder `source` as a new snapshot and prove it on cold.

        `exclude` holds gitignore-like globs relative to the source; `own_folders` lie inside the
        source perhaps, and are left out with a note.  With `max_shrink_percent` a source that
        holds so much less (bytes or files) than the last complete snapshot gives a partial one;
        None accepts any shrinking.
        Cancelled while reading, it commits a snapshot tagged `incomplete` and returns normally.
        Raises SourceUnavailable, StorageError, RepositoryDamaged, Cancelled.
        """

    def snapshots(self) -> tuple[list[Snapshot], list[Issue]]:
        """Return the snapshots, oldest first, and what in `snapshots/` cannot be trusted."""

    def restore(
        self,
        snapshot_id: str,
        target: str | bytes,
        *,
        path: str | bytes | None = ...,
        exact: bool = ...,
        overwrite: bool = ...,
        progress: ProgressCallback | None = ...,
        cancel: Cancel | None = ...,
    ) -> RestoreSummary:
        """Write the content of the source's folder (or of `path` below it) directly into `target`.

        `target` is made where it is missing.  Every byte is verified before it is called written.
        A restore of the same snapshot and path that was cut off goes on: what is right stays,
        what is not is written again.  `overwrite` takes any target in that way.
        `exact` also sets owners, special mode bits, devices and all attributes.
        Raises InvalidInput for an unknown snapshot or path, TargetOccupied, RepositoryDamaged,
        StorageError, Cancelled.
        """

    def plan(
        self,
        snapshot_id: str,
        *,
        path: str | bytes | None = ...,
        exact: bool = ...,
        progress: ProgressCallback | None = ...,
        cancel: Cancel | None = ...,
    ) -> RestorePlan:
        """Return what a restore would write, from the trees alone; raises what a restore does."""

    def entries(self, snapshot_id: str, *, path: str | bytes | None = ...) -> Entries:
        """Return the entry at `path`, or the source's folder, and all below it.

        A folder comes first, then what in it is none, then its folders, each by name.
        """

    def search(self, pattern: str, snapshot_ids: Sequence[str]) -> Entries:
        """Return every version of each path that matches, with the first snapshot it stands in.

        `pattern` is of a name, or with a slash in it of a path, as in gitignore.
        """

    def dump(self, snapshot_id: str, path: str | bytes) -> Content:
        """Return the content of a file, or of a folder as a tar archive of what lies in it.

        Where content is damaged it raises RepositoryDamaged after what was right.
        """

    def check(
        self,
        *,
        read_data: tuple[int, int] | None = ...,
        progress: ProgressCallback | None = ...,
        cancel: Cancel | None = ...,
    ) -> CheckSummary:
        """Check every snapshot, tree and index entry, and what each pack says of itself.

        With `read_data`, the number of a part, from 1, and how many parts there are, 100 at
        most, also every byte of the packs that belong to that part by their names.
        Raises InvalidInput for a part that does not exist, StorageError, Cancelled.
        """

    def rebuild_hot(
        self,
        hot: str,
        *,
        dry_run: bool = ...,
        progress: ProgressCallback | None = ...,
        cancel: Cancel | None = ...,
    ) -> HotSummary:
        """Make the cache in the folder `hot` what it should be; to be opened without it.

        Afterwards it holds config, snapshots, index and all packs of trees, and nothing else.
        Raises InvalidInput when `hot` holds a repository, StorageError, Cancelled.
        """
