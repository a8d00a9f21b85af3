"""The keys that sign records, one for each customer, in files beside the journal."""

from pathlib import Path

from unstoppable.domain.emitter import Emitter, EmitterKey
from unstoppable.domain.errors import FileUnsafe, FolderUnusable, SecretUnreadable
from unstoppable.domain.record_errors import EmitterMissing, EmitterUnusable
from unstoppable.runner import files
from unstoppable.runner.files import make_private_folder, write_new
from unstoppable.secrets.reference import read_private

_FOLDER = "emitters"


def key_file(state: Path, customer: str) -> Path:
    """Return where the key of a customer's records lies."""
    return state / _FOLDER / f"{customer}.key"


def is_there(state: Path, customer: str) -> bool:
    """Return whether there is such a file, whatever it holds; raises EmitterUnusable."""
    path = key_file(state, customer)
    try:
        return files.is_there(path)
    except OSError as error:
        raise EmitterUnusable(customer=customer, path=path, cause=error.strerror) from error


def customers(state: Path) -> frozenset[str]:
    """Return the customers of whom there ever was a record; nobody where that is not known."""
    try:
        return frozenset(path.stem for path in (state / _FOLDER).glob("*.key"))
    except OSError:
        return frozenset()


def require(state: Path, customer: str) -> EmitterKey:
    """Return the key, made now where there is none; raises EmitterUnusable.

    A file that is there is never replaced, whatever it holds: another key ends the chain. Of two
    who make it at once both get the same.
    """
    path = key_file(state, customer)
    try:
        if not is_there(state, customer):
            make_private_folder(path.parent)
            write_new(path, [EmitterKey.generate(customer).to_text().encode()])
    except FileExistsError:
        pass  # Somebody else was quicker.
    except FolderUnusable as error:
        cause = error.facts["cause"]
        raise EmitterUnusable(customer=customer, path=path.parent, cause=cause) from error
    except OSError as error:
        raise EmitterUnusable(customer=customer, path=path, cause=error.strerror) from error
    return _read(path, customer)


def find(state: Path, customer: str) -> EmitterKey:
    """Return the key that is there; raises EmitterMissing or EmitterUnusable."""
    path = key_file(state, customer)
    if not is_there(state, customer):
        raise EmitterMissing(customer=customer, path=path)
    return _read(path, customer)


def require_same(state: Path, emitter: Emitter) -> None:
    """Raise EmitterMissing or EmitterUnusable unless the key that is there is this emitter's."""
    if find(state, emitter.name).emitter != emitter:
        raise another_key(state, emitter.name)


def another_key(state: Path, customer: str) -> EmitterUnusable:
    """Return what to raise where a key is not the one of the chain."""
    cause = "it is another key than the one that signed the records before"
    return EmitterUnusable(customer=customer, path=key_file(state, customer), cause=cause)


def _read(path: Path, customer: str) -> EmitterKey:
    try:
        return EmitterKey.from_text(customer, read_private(path, name=path.name))
    except (SecretUnreadable, FileUnsafe) as error:
        cause = error.facts.get("cause") or error.facts["reason"]
        raise EmitterUnusable(customer=customer, path=path, cause=cause) from error
    except ValueError as error:
        raise EmitterUnusable(customer=customer, path=path, cause=error) from error
