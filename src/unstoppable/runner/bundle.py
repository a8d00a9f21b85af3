"""A bundle: what a machine needs to back a customer up, as a tar archive.

Whoever can write one could name any path in it: what is not exactly what a bundle holds is refused
before anything is written.
"""
# ruff: noqa: EM102 - what is wrong is one sentence

import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from unstoppable.domain import names, toml
from unstoppable.domain.customer_errors import BundleConflict, BundleInvalid, BundleUnreadable
from unstoppable.domain.errors import FolderUnusable, NameInvalid, OutputFailed
from unstoppable.domain.outlook_errors import FileIsThere
from unstoppable.runner.customer_setup import ROOT
from unstoppable.runner.files import make_private_folder, write_new

TABLE_SUFFIX = ".toml"
PINS_SUFFIX = ".pins.json"
_FOLDER = "customers/"
_OWN_FILE = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_LARGEST_FILE_BYTES = 2**20
_MOST_FILES = 4096
_LARGEST_BYTES = 2**26
_NOT_WHOLE = "it is no whole tar archive"
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A customer's file, pins, keys, and what else its file refers to.

    Or the same of one further resource of a customer, whose table stands in the place of the file.
    """

    customer: str
    files: Mapping[str, bytes]
    """Contents by paths below the folder of customers."""
    resource: str | None = None
    """The further resource; None where the whole customer is in it."""

    @property
    def customer_file(self) -> str:
        """Where the customer's file belongs."""
        return f"{self.customer}.toml"

    @property
    def table(self) -> str:
        """Which of the files is the further resource's table."""
        return f"{self.customer}/{self.resource}{TABLE_SUFFIX}"

    @property
    def pins(self) -> str:
        """Which of the files holds the further resource's pins."""
        return f"{self.customer}/{self.resource}{PINS_SUFFIX}"

    @property
    def merged(self) -> frozenset[str]:
        """Which of the files are no files of their own where they are taken."""
        return frozenset({self.customer_file, self.table, self.pins})


def write(path: Path, bundle: Bundle) -> None:
    """Write a bundle, for this user alone; the same one may be there already.

    Raises FileIsThere or OutputFailed.
    """
    whole = BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in bundle.files.items():
            member = tarfile.TarInfo(f"{_FOLDER}{name}")
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, BytesIO(content))
    try:
        write_new(path, [whole.getvalue()])
    except FileExistsError as error:
        if not path.is_file() or path.read_bytes() != whole.getvalue():
            raise FileIsThere(path=path) from error
    except OSError as error:
        raise OutputFailed(cause=f"{path}: {error.strerror}") from error


def refuse_other(path: Path, customer: str, resource: str | None = None) -> None:
    """Raise FileIsThere where something lies that no earlier try can have written."""
    if not os.path.lexists(path):
        return
    try:
        found = read(path)
    except (BundleInvalid, BundleUnreadable) as error:
        raise FileIsThere(path=path) from error
    if (found.customer, found.resource) != (customer, resource):
        raise FileIsThere(path=path)


def read(path: Path) -> Bundle:
    """Return what a bundle holds; raises BundleUnreadable or BundleInvalid."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise BundleUnreadable(path=path, cause=error.strerror) from error
    try:
        return _parsed(content)
    except (ValueError, NameInvalid) as error:
        raise BundleInvalid(path=path, reason=error) from error
    except tarfile.TarError as error:
        raise BundleInvalid(path=path, reason=_NOT_WHOLE) from error


def unpack(bundle: Bundle, folder: Path) -> None:
    """Write what is in a bundle below the folder of customers, but for what is merged there.

    What is there already and the same is left as it is. Raises BundleConflict or FolderUnusable.
    """
    make_private_folder(folder / bundle.customer)
    for name, content in bundle.files.items():
        if name not in bundle.merged:
            _write_once(folder / name, content)


def _write_once(path: Path, content: bytes) -> None:
    try:
        write_new(path, [content])
    except FileExistsError as error:
        if not path.is_file() or path.read_bytes() != content:
            raise BundleConflict(path=path) from error
    except OSError as error:
        raise FolderUnusable(path=path, cause=error.strerror) from error


def _parsed(content: bytes) -> Bundle:
    """Return what an archive holds; raises ValueError with what is wrong with it."""
    if len(content) > _LARGEST_BYTES:
        raise ValueError(f"it is larger than {_LARGEST_BYTES >> 20} MiB")
    files: dict[str, bytes] = {}
    for name, found in _members(content):
        if name in files or len(files) == _MOST_FILES:
            raise ValueError(f"it holds {name} twice, or too many files")
        files[name] = found
    bundle = _named(files)
    table = bundle.table if bundle.resource else bundle.customer_file
    for name in files:
        _refuse_others(name, bundle)
    if not all(_is_brought(reference, bundle) for reference in _values(files[table])):
        raise ValueError(f"{table} refers to a secret that it does not hold")
    return bundle


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an archive that holds plain files alone, as `write` makes it.

    The standard library's own reader takes what POSIX and GNU say before a member for a part of it,
    and time that grows with the square of that (CVE-2024-6232): minutes for each MiB. Raises
    ValueError with what is wrong, or TarError.
    """
    place = 0
    while (header := content[place : place + tarfile.BLOCKSIZE]) != bytes(tarfile.BLOCKSIZE):
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        name, begin = _checked(member), place + tarfile.BLOCKSIZE
        found = content[begin : begin + member.size]
        if len(found) != member.size:
            raise ValueError(_NOT_WHOLE)
        yield name, found
        place = begin + member.size + -member.size % tarfile.BLOCKSIZE


def _named(files: Mapping[str, bytes]) -> Bundle:
    """Return a bundle with the names that its files have."""
    whole = [name for name in files if re.fullmatch(r"[^/]+\.toml", name)]
    further = [name for name in files if re.fullmatch(r"[^/]+/[^/]+\.toml", name)]
    if len(whole) == 1:
        return Bundle(customer=names.name(whole[0].removesuffix(".toml")), files=files)
    if whole or len(further) != 1:
        raise ValueError("it holds not one customer's file")
    customer, resource = map(names.name, further[0].removesuffix(TABLE_SUFFIX).split("/"))
    bundle = Bundle(customer=customer, resource=resource, files=files)
    if bundle.pins not in files or not _is_table_of(resource, files[bundle.table]):
        raise ValueError(f"it holds not what {customer}/{resource} needs alone")
    return bundle


def _is_table_of(resource: str, content: bytes) -> bool:
    try:
        said = toml.parse(content.decode())
    except ValueError:
        return False
    found = said.get("resources")
    return said.keys() == {"resources"} and isinstance(found, dict) and found.keys() == {resource}


def _checked(member: tarfile.TarInfo) -> str:
    """Return where a member belongs below the folder of customers."""
    if member.type not in _PLAIN or not member.name.startswith(_FOLDER):
        raise ValueError(f"{member.name!r} is no file in {_FOLDER}")
    if member.size > _LARGEST_FILE_BYTES:
        raise ValueError(f"{member.name!r} is larger than 1 MiB")
    return member.name.removeprefix(_FOLDER)


def _refuse_others(name: str, bundle: Bundle) -> None:
    customer = bundle.customer
    beside = {f"{customer}.toml", f"{customer}.pins.json"} if bundle.resource is None else set()
    file = name.removeprefix(f"{customer}/")
    is_own = file != name and _OWN_FILE.fullmatch(file) and file != ROOT
    is_named = bundle.resource is None or file.startswith(f"{bundle.resource}.")
    if name in beside or (is_own and is_named):
        return
    raise ValueError(f"{name!r} is nothing that {customer} needs to be backed up")


def _is_brought(text: str, bundle: Bundle) -> bool:
    """Return whether a value is in the bundle, or no reference to anything of this machine.

    The secret of somebody else would go, as a password, to whatever server the bundle names. So
    would any other one of the customer, whose identity at Infisical a whole bundle says itself, and
    the machine has already where a further resource comes.
    """
    scheme, _, place = text.partition(":")
    elsewhere = {"env", "file"} if bundle.resource is None else {"env", "file", "infisical"}
    return scheme not in elsewhere or (scheme == "file" and place in bundle.files)


def _values(content: bytes) -> Iterator[str]:
    """Yield the texts of a customer's file, but for lists and its title."""
    try:
        tables = [toml.parse(content.decode(errors="replace"))]
    except ValueError:
        return  # Whoever reads the file tells where.
    while tables:
        for key, value in tables.pop().items():
            if isinstance(value, dict):
                tables.append(value)
            elif isinstance(value, str) and key != "name":
                yield value
