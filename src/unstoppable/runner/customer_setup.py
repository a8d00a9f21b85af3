"""Keys and repositories of a customer who is added, from whatever an earlier try left."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from unstoppable import engine
from unstoppable.domain.customer_errors import KeyFileOther, RepositoryOfOther, RootSecretOther
from unstoppable.domain.errors import FolderUnusable, RepositoryExists
from unstoppable.domain.keys import KeyKind
from unstoppable.runner import pins_file
from unstoppable.runner.files import is_there, make_private_folder, write_new
from unstoppable.runner.plan import Installation, Key
from unstoppable.runner.setup import Found, examine, set_up
from unstoppable.secrets.reference import Literal, read_private

ROOT = "root-secret"
KEY_SUFFIX = ".key"
_NAME = "the root secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A customer's root secret."""

    secret: str = field(repr=False)
    is_new: bool
    """Whether it was made now, and is on no disk yet."""

    def of(self, installation: Installation) -> Installation:
        """Return an installation that this secret opens."""
        secret = Literal(self.secret)
        return replace(installation, key=Key(name=_NAME, kind=KeyKind.ROOT, secret=secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an earlier try left of a resource."""

    repository: Found
    has_key: bool
    """Whether the file of its key is there."""


def root_secret(folder: Path) -> Root:
    """Return the customer's root secret, or a fresh one where none is; changes nothing.

    Raises SecretUnreadable, FileUnsafe or FolderUnusable.
    """
    path = folder / ROOT
    if has(path):
        return Root(secret=read_private(path, name=_NAME), is_new=False)
    return Root(secret=engine.generate_root_secret().hex(), is_new=True)


def keep(root: Root, folder: Path) -> Root:
    """Write a root secret unless one is there; returns the one that is there then.

    Raises FolderUnusable, SecretUnreadable or FileUnsafe.
    """
    make_private_folder(folder)
    _write_once(folder / ROOT, root.secret)
    return root_secret(folder)


def look(installation: Installation, folder: Path, root: Root) -> Seen:
    """Return what is there of a resource's repository and key; changes nothing.

    Raises KeyFileOther, RepositoryOfOther, FolderUnusable, and what `setup.examine` does for a
    repository that is not ours.
    """
    own = root.of(installation)
    path = key_file(own, folder)
    has_key = has(path)
    if has_key:
        _refuse_other_key(path, own.key.of_repository(own.places(None)))
    try:
        return Seen(repository=examine(own, key_is_new=root.is_new), has_key=has_key)
    except RepositoryExists as error:
        raise RepositoryOfOther(resource=own.resource, path=folder / ROOT) from error


def refuse_other_root(installation: Installation, folder: Path, root: Root) -> None:
    """Raise RootSecretOther where none of the customer's keys was made of this root secret.

    Where no other resource has pins nobody can tell. Raises what reading pins does.
    """
    own, resource = root.of(installation), installation.resource
    pinned = pins_file.everything(installation.pins_file)
    others = {name: pins for name, pins in pinned.items() if name != resource}
    made = (
        engine.fingerprint(own.key.of_repository(replace(own, resource=name).places(pins)), name)
        == pins.key_fingerprint
        for name, pins in others.items()
    )
    if others and not any(made):
        raise RootSecretOther(path=folder / ROOT, customer=resource.customer)


def set_up_resource(
    installation: Installation,
    folder: Path,
    root: Root,
    finish: Callable[[], None] = lambda: None,
) -> None:
    """Create and pin the repository of a resource, and keep its own key.

    The file of the key is all that a backup needs; it is on disk before a repository exists that
    needs it. `finish` is done last, while nobody else of this customer writes.
    """
    own = root.of(installation)
    key, path = own.key.of_repository(own.places(None)), key_file(own, folder)
    set_up(own, key_is_new=False, keep_settings=lambda: _keep_key(path, key), finish=finish)


def key_file(installation: Installation, folder: Path) -> Path:
    """Return where the key of a resource is kept."""
    return folder / f"{installation.resource.resource}{KEY_SUFFIX}"


def has(path: Path) -> bool:
    """Return whether a customer's secret is there; raises FolderUnusable where nobody can tell."""
    try:
        return is_there(path)
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


def _write_once(path: Path, text: str) -> None:
    try:
        with suppress(FileExistsError):
            write_new(path, [text.encode()])
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


def _keep_key(path: Path, key: bytes) -> None:
    """Keep the key of a repository; raises KeyFileOther where another one is there."""
    _write_once(path, key.hex())
    _refuse_other_key(path, key)


def _refuse_other_key(path: Path, key: bytes) -> None:
    if read_private(path, name="the key") != key.hex():
        raise KeyFileOther(path=path)
