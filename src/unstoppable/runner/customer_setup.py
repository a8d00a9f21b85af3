"""Keys and repositories of a customer who is added, from whatever an earlier try left."""

from contextlib import suppress
from pathlib import Path

from unstoppable import engine
from unstoppable.domain.customer_errors import KeyFileOther
from unstoppable.domain.errors import FolderUnusable
from unstoppable.runner.files import write_new
from unstoppable.runner.plan import Installation
from unstoppable.runner.setup import set_up
from unstoppable.secrets.reference import read_private

ROOT = "root-secret"
KEY_SUFFIX = ".key"


def root_secret(folder: Path) -> str:
    """Return the customer's root secret, made now unless it is there; raises FolderUnusable."""
    path = folder / ROOT
    _write_once(path, engine.generate_root_secret().hex())
    return read_private(path, name="the root secret")


def set_up_resource(installation: Installation, folder: Path) -> None:
    """Create and pin the repository of a resource, and keep its own key.

    `installation` knows the root secret; the file of the key is all that a backup needs.
    The key is on disk before a repository exists that needs it.
    """
    key = installation.key.of_repository(installation.places(None))
    path = folder / f"{installation.resource.resource}{KEY_SUFFIX}"
    set_up(installation, key_is_new=False, keep_settings=lambda: _keep_key(path, key))


def _write_once(path: Path, text: str) -> None:
    try:
        with suppress(FileExistsError):
            write_new(path, [text.encode()])
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


def _keep_key(path: Path, key: bytes) -> None:
    """Keep the key of a repository; raises KeyFileOther where another one is there."""
    _write_once(path, key.hex())
    if read_private(path, name="the key") != key.hex():
        raise KeyFileOther(path=path)
