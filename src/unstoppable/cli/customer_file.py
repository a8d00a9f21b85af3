"""A customer's file, as the settings of each of its resources."""
# ruff: noqa: PLC0415 - pydantic is imported when a file is read, so that help is quick

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from unstoppable.cli.configuration import PREFIX, Given
from unstoppable.cli.env_file import MOST_FAULTS, refuse_unsafe_folder
from unstoppable.domain import infisical, names, reference, toml
from unstoppable.domain.customer_errors import (
    CustomerFileInvalid,
    CustomerFileUnreadable,
    CustomerKeyInvalid,
    CustomerKeyUnknown,
    IdentityMissing,
)
from unstoppable.domain.errors import NameInvalid, UnstoppableError
from unstoppable.domain.infisical import ClientSecret, Identity, InfisicalReference
from unstoppable.domain.secret import Secret
from unstoppable.secrets.bounded import open_plain
from unstoppable.secrets.infisical_secrets import InInfisical, Keeper
from unstoppable.secrets.reference import on_this_machine, refuse_unsafe

if TYPE_CHECKING:
    from unstoppable.cli.customer_model import Key

_NOTHING: Mapping[str, Given] = MappingProxyType({})
_SCHEMES = ("env:", "file:", "infisical:")
_REASONS = {
    "string_type": "it is no text in quotes",
    "int_type": "it is no whole number",
    "string_too_long": f"it is longer than {toml.MOST_CHARACTERS} characters",
    "bool_type": "it is neither true nor false",
    "list_type": "it is no list",
    "dict_type": "it is no table",
    "model_type": "it is no table",
    "string_pattern_mismatch": "it is neither s3 nor folder",
    "greater_than_equal": "it is less than 1",
    "less_than_equal": f"it is more than {toml.LARGEST_INTEGER}",
    "too_short": "it names no resource",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What a customer's file says, as far as it can be used, and everything wrong with it."""

    name: str
    """The birth name: the file's."""
    path: Path
    title: str
    """How people call the customer."""
    client_id: str | None
    """Of the customer's identity at an Infisical server."""
    shares_identity: bool
    """Whether another customer may have the same."""
    has_keep: bool
    """Whether it says how many backups are kept, which has no effect yet."""
    resources: Mapping[str, Mapping[str, Given]]
    """The settings of each resource that the file gives."""
    faults: tuple[UnstoppableError, ...]


def read(
    path: Path, installation: Mapping[str, Given] = _NOTHING, *, text: str | None = None
) -> Customer:
    """Return what a customer's file says; raises nothing, faults are told in what it returns.

    `installation` are the settings of all customers, of which some say where Infisical is;
    `text` is what the file will say, if not what it does.
    """
    reader = _Reader(path, installation)
    try:
        reader.read(text)
    except UnstoppableError as error:
        reader.faults.append(error)
    except ValueError as error:
        # Nobody can be stopped by what stands in the file of another.
        reader.faults.append(CustomerFileInvalid(path=path, reason=error))
    return Customer(
        name=path.stem,
        path=path,
        title=reader.title or path.stem,
        client_id=reader.client_id,
        shares_identity=reader.shares_identity,
        has_keep=reader.has_keep,
        resources={} if reader.faults else reader.resources,
        faults=tuple(reader.faults[:MOST_FAULTS]),
    )


class _Reader:
    """Reads one file and remembers what is wrong with it."""

    def __init__(self, path: Path, installation: Mapping[str, Given]) -> None:
        self.path, self.title, self._installation = path, "", installation
        self._folder = path.parent
        self.client_id: str | None = None
        self.shares_identity = self.has_keep = False
        self._keeper: Keeper | None = None
        self.resources: dict[str, dict[str, Given]] = {}
        self.faults: list[UnstoppableError] = []
        self._lines: dict[tuple[str, ...], int] = {}
        self._shared: dict[tuple[str, ...], Given] = {}
        """What holds for several resources, once: a list is as long as the file may be."""

    def read(self, text: str | None) -> None:
        try:
            names.name(self.path.stem)
        except NameInvalid as error:
            reason = f"{error}: {error.hint}"
            raise CustomerFileInvalid(path=self.path, reason=reason) from error
        text = text_of(self.path) if text is None else text
        try:
            said = toml.parse(text)
        except ValueError as error:
            raise CustomerFileInvalid(path=self.path, reason=error) from error
        self._lines = toml.lines_of(text)
        self._refuse(said)
        if self.faults:
            return
        self.title = str(said.get("name", ""))
        identity = self._identity(said.get("infisical"))
        for resource, table in said["resources"].items():
            # Each run asks for what it needs itself.
            self._keeper = None if identity is None else Keeper(identity)
            self.resources[resource] = self._resource(said, resource, table)
            if self._has_enough():
                return

    def _refuse(self, said: dict[str, Any]) -> None:
        """Remember everything that has not the form of a customer's file."""
        from pydantic import ValidationError

        from unstoppable.cli.customer_model import CustomerFile

        try:
            CustomerFile.model_validate(said)
        except ValidationError as error:
            found = [
                (tuple(str(part) for part in fault["loc"]), fault["type"], fault["msg"])
                for fault in error.errors(include_url=False, include_input=False)
            ]
            found.sort(key=lambda fault: self._line(fault[0]) or 0)
            self.faults += [self._fault(*fault) for fault in found[:MOST_FAULTS]]
            return
        for resource in said["resources"]:
            if self._has_enough():
                return
            try:
                names.name(resource)
            except NameInvalid as error:
                where = ("resources", resource)
                self._remember(where, f"{error}; {error.hint}")
        for place, table in (
            (("defaults",), said.get("defaults", {})),
            *((("resources", name), table) for name, table in said["resources"].items()),
        ):
            self._refuse_values(place, table)

    def _refuse_values(self, place: tuple[str, ...], table: dict[str, Any]) -> None:
        """Remember what of a resource, or of all, has the right form and cannot be."""
        if "keep" in table:
            self.has_keep = True
            if not table["keep"]:
                self._remember((*place, "keep"), "it keeps nothing: name a number, or leave it out")
        for pattern in table.get("exclude", ()):
            if self._has_enough():
                return
            if "," in pattern or len(pattern.splitlines()) > 1:
                reason = f"'{pattern}' holds a comma or a line break: write ? in its place"
                self._remember((*place, "exclude"), reason)

    def _fault(self, where: tuple[str, ...], kind: str, message: str) -> UnstoppableError:
        if kind == "missing":
            lacking = "[resources.NAME] that says what is backed up"
            lacking = lacking if where == ("resources",) else _dotted(where)
            return CustomerFileInvalid(path=self.path, reason=f"it holds no {lacking}")
        if kind == "extra_forbidden":
            known = _known(where)
            nearest = difflib.get_close_matches(where[-1], known, n=1, cutoff=0)[0]
            return CustomerKeyUnknown(
                key=_dotted(where), origin=self._origin(where), nearest=nearest
            )
        reason = _REASONS.get(kind, message)
        return CustomerKeyInvalid(name=_dotted(where), origin=self._origin(where), reason=reason)

    def _has_enough(self) -> bool:
        """Return whether as many faults are known as are told."""
        return len(self.faults) >= MOST_FAULTS

    def _remember(self, where: tuple[str, ...], reason: str) -> None:
        found = CustomerKeyInvalid(name=_dotted(where), origin=self._origin(where), reason=reason)
        self.faults.append(found)

    def _resource(
        self, said: dict[str, Any], resource: str, table: dict[str, Any]
    ) -> dict[str, Given]:
        from unstoppable.cli.customer_model import OF_ANY_RESOURCE, OF_CUSTOMER, OF_RESOURCE

        in_table = ("resources", resource)
        found = dict(self._given((), said, OF_CUSTOMER))
        found |= self._given(("defaults",), said.get("defaults", {}), OF_ANY_RESOURCE)
        found |= self._given(in_table, table, OF_RESOURCE)
        found |= self._schedule(said.get("defaults", {}), in_table, table)
        found |= self._cold(said)
        if "mail_to" in said:
            found[f"{PREFIX}CUSTOMER_MAIL_TO"] = self._said_once(("mail_to",), said["mail_to"])
        for name, value in (("CUSTOMER", self.path.stem), ("RESOURCE", resource)):
            found[PREFIX + name] = self._said(in_table, value)
        return found

    def _given(
        self, place: tuple[str, ...], said: Mapping[str, Any], keys: "Mapping[str, Key]"
    ) -> Iterator[tuple[str, Given]]:
        for key, value in said.items():
            if (known := keys.get(key)) is None or key in {"schedule", "zone"}:
                continue
            where, text = (*place, key), self._path(value) if known.is_file else value
            name = PREFIX + known.setting.upper()
            try:
                if known.is_secret or (known.may_refer and _is_reference(value)):
                    yield name, self._referred(where, str(value))
                else:
                    yield name, self._said_once(where, text)
            except UnstoppableError as error:
                self.faults.append(error)

    def _path(self, value: str) -> str:
        """Return a path from / on; one that is beside the customer's file does not say more."""
        return str(self._folder / value) if reference.is_beside(value) else value

    def _schedule(
        self, defaults: Mapping[str, Any], place: tuple[str, ...], table: Mapping[str, Any]
    ) -> dict[str, Given]:
        """Return the schedule; its zone may stand in another table."""
        whole = {**defaults, **table}
        line, zone = whole.get("schedule"), whole.get("zone")
        if line is None and zone is None:
            return {}
        key = "zone" if line is None else "schedule"
        where = (*place, key) if key in table else ("defaults", key)
        if line is None:
            self._remember(where, "there is no schedule that it could be of")
            return {}
        text = line if zone is None else f"{line} {zone}"
        return {f"{PREFIX}SCHEDULE": self._said(where, text)}

    def _cold(self, said: Mapping[str, Any]) -> dict[str, Given]:
        bucket = said.get("bucket")
        if said.get("cold", "folder") == "s3":
            where = ("bucket",) if bucket else ("cold",)
            return {f"{PREFIX}COLD": self._said(where, f"s3://{bucket or self.path.stem}")}
        if bucket:
            self._remember(("bucket",), 'nobody reads it; write cold = "s3" beside it')
        return {}

    def _said_once(self, where: tuple[str, ...], value: object) -> Given:
        """Return what one key says, the same for each resource that it holds for."""
        if where not in self._shared:
            self._shared[where] = self._said(where, value)
        return self._shared[where]

    def _said(self, where: tuple[str, ...], value: object) -> Given:
        return Given(value=_as_text(value), origin=self._origin(where), written=_dotted(where))

    def _referred(self, where: tuple[str, ...], text: str) -> Given:
        secret = self._reference(where, text)
        return Given(value=secret, origin=self._origin(where), written=_dotted(where))

    def _reference(self, where: tuple[str, ...], text: str) -> Secret:
        written, origin = _dotted(where), self._origin(where)
        try:
            found = reference.parse(text)
        except ValueError as error:
            raise CustomerKeyInvalid(name=written, origin=origin, reason=error) from error
        if not isinstance(found, InfisicalReference):
            name = f"{written} in {self.path.name}"
            return on_this_machine(found, name=name, beside=self._folder)
        if self._keeper is None:
            raise IdentityMissing(name=written, origin=origin)
        self._keeper.want(found)
        return InInfisical(found, self._keeper)

    def _identity(self, said: Mapping[str, Any] | None) -> Identity | None:
        """Return as whom the customer's secrets are asked for."""
        if said is None:
            return None
        forms: dict[str, Callable[[str], str]] = {
            "server": infisical.address,
            "project": infisical.project_id,
            "environment": infisical.environment,
            "client_id": infisical.client_id,
        }
        values = {"environment": "prod", **said}
        for key, setting in (("server", "INFISICAL_URL"), ("ca_file", "INFISICAL_CA_FILE")):
            given = self._installation.get(PREFIX + setting)
            if given is not None:
                values.setdefault(key, given.value)
        if "server" not in values:
            self._remember(("infisical",), "it names no server, and UNSTOPPABLE_INFISICAL_URL none")
        for key, form in forms.items():
            try:
                form(str(values.get(key, "https://unknown")))
            except ValueError as error:
                self._remember(("infisical", key), str(error))
        if self.faults:
            return None
        self.client_id = said["client_id"]
        self.shares_identity = bool(said.get("shares_identity"))
        where = ("infisical", "client_secret")
        return Identity(
            customer=self.path.stem,
            server=infisical.address(values["server"]),
            project_id=values["project"],
            environment=values["environment"],
            client_id=values["client_id"],
            client_secret=ClientSecret(
                name=f"{_dotted(where)} in {self.path.name}",
                secret=self._reference(where, said["client_secret"]),
            ),
            ca_file=self._path(values["ca_file"]) if "ca_file" in values else None,
        )

    def _origin(self, where: tuple[str, ...]) -> str:
        line = self._line(where)
        return f"{self.path}" if line is None else f"{self.path} line {line}"

    def _line(self, where: tuple[str, ...]) -> int | None:
        """Return the line of a key, or of the table it would be in."""
        wholes = (where[:length] for length in range(len(where), 0, -1))
        return next((self._lines[whole] for whole in wholes if whole in self._lines), None)


def text_of(path: Path) -> str:
    """Return the text of a customer's file.

    Raises CustomerFileUnreadable, CustomerFileInvalid or FileUnsafe.
    """
    try:
        refuse_unsafe_folder(path.parent)
        with open_plain(path) as file:
            refuse_unsafe(path, os.fstat(file.fileno()), is_secret=False)
            content = file.read(toml.LARGEST_BYTES + 1)
    except OSError as error:
        raise CustomerFileUnreadable(path=path, cause=error.strerror) from error
    if len(content) > toml.LARGEST_BYTES:
        raise CustomerFileInvalid(path=path, reason=toml.TOO_LARGE)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise CustomerFileInvalid(path=path, reason="it is no UTF-8 text") from error


def _known(where: tuple[str, ...]) -> list[str]:
    """Return the keys that may stand where an unknown one does."""
    from unstoppable.cli.customer_model import CustomerFile, Defaults, Infisical, Keep, Resource

    tables = {"": CustomerFile, "defaults": Defaults, "infisical": Infisical}
    table = tables.get(where[0] if len(where) > 1 else "", Resource)
    return list((Keep if "keep" in where else table).model_fields)


def _is_reference(value: object) -> bool:
    """Return whether a value is written as a reference, a good one or not."""
    return isinstance(value, str) and value.startswith(_SCHEMES)


def _dotted(where: tuple[str, ...]) -> str:
    return ".".join(where)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value)
