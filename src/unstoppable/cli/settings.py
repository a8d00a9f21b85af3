"""Every setting, read in one place; docs/configuration.md says what they mean."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from unstoppable.cli import env_file
from unstoppable.domain import errors, names
from unstoppable.domain.keys import KeyKind, parse_key
from unstoppable.domain.names import ResourceName
from unstoppable.domain.schedule import Schedule
from unstoppable.runner.plan import Installation, Key
from unstoppable.secrets.reference import InFile, Literal, Secret, read_private

PREFIX = "UNSTOPPABLE_"
_SECRETS = {"UNSTOPPABLE_KEY": KeyKind.ROOT, "UNSTOPPABLE_REPOSITORY_KEY": KeyKind.REPOSITORY}
_READ_ELSEWHERE = frozenset({env_file.ENV_FILE, "UNSTOPPABLE_CACHE"})
"""Names of the environment that are no settings; the second one is of the build."""
_ENVIRONMENT = "the environment"
_TO_COME = ("ftps://", "s3://")


def _folder(value: object) -> Path:
    text = str(value)
    if text.startswith(_TO_COME):
        scheme = text.partition(":")[0]
        raise ValueError(f"this version cannot do {scheme} yet, only folders")  # noqa: EM102
    if not text.startswith("/"):
        raise ValueError("it is not a path that starts with /")
    return Path(os.path.normpath(text))


def _name(value: object) -> str:
    try:
        return names.name(str(value))
    except errors.NameInvalid as error:
        raise ValueError(error.hint) from error


def _percent(value: object) -> int:
    digits = str(value).removesuffix("%").strip()
    if not digits.isascii() or not digits.isdigit() or int(digits) > 100:  # noqa: PLR2004
        raise ValueError("it is not a percentage from 0% to 100%")
    return int(digits)


def _schedule(value: object) -> Schedule:
    try:
        return Schedule.parse(str(value))
    except errors.ScheduleInvalid as error:
        raise ValueError(f"{error}; {error.hint}") from error  # noqa: EM102 - one sentence


def _globs(value: object) -> tuple[str, ...]:
    lines = str(value).replace(",", "\n").splitlines()
    return tuple(glob for line in lines if (glob := line.strip()))


Folder = Annotated[Path, BeforeValidator(_folder)]
Name = Annotated[str, BeforeValidator(_name)]


class Settings(BaseModel):
    """The settings by name; `UNSTOPPABLE_HOT` is `hot`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    source: Folder | None = None
    hot: Folder
    cold: Folder
    state: Folder
    customer: Name = "default"
    resource: Name = "default"
    key: Literal | InFile | None = None
    repository_key: Literal | InFile | None = None
    exclude: Annotated[tuple[str, ...], BeforeValidator(_globs)] = ()
    one_file_system: bool = False
    schedule: Annotated[Schedule | None, BeforeValidator(_schedule)] = None
    max_shrink: Annotated[int, BeforeValidator(_percent)] = 50

    @model_validator(mode="after")
    def _places_differ(self) -> Self:
        if self.hot == self.cold:
            raise ValueError("UNSTOPPABLE_HOT and UNSTOPPABLE_COLD are the same folder")
        return self


NAMES = tuple(PREFIX + field.upper() for field in Settings.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value and where it was found."""

    value: str | Secret
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings, and where each of them comes from."""

    settings: Settings
    given: Mapping[str, Given]
    env_file: Path
    has_file: bool
    """Whether the settings file was there when it was read."""

    @property
    def pins_file(self) -> Path:
        """Where pins are kept: beside the settings."""
        return self.env_file.with_name("pins.json")

    @property
    def resource(self) -> ResourceName:
        """The one resource of this installation."""
        return ResourceName(customer=self.settings.customer, resource=self.settings.resource)

    @property
    def source(self) -> Path:
        """The folder that is backed up; raises SettingMissing or SourceInsideRepository."""
        source = self.settings.source
        if source is None:
            raise errors.SettingMissing(name="UNSTOPPABLE_SOURCE", env_file=self.env_file)
        for field in ("hot", "cold", "state"):
            folder = getattr(self.settings, field)
            if source.resolve().is_relative_to(folder.resolve()):
                raise errors.SourceInsideRepository(
                    source=source, name=PREFIX + field.upper(), folder=folder
                )
        return source

    @property
    def schedule(self) -> Schedule:
        """When backups are due; a time at night where nobody named one."""
        return self.settings.schedule or Schedule.nightly(f"{os.uname().nodename} {self.resource}")

    @property
    def only_in_environment(self) -> list[str]:
        """Names of settings that whoever has the settings file alone would lack, or read others."""
        in_file = _from_file(self.env_file) if self.has_file else {}
        return sorted(
            name
            for name, given in self.given.items()
            if name not in in_file or in_file[name].value != given.value
        )

    def with_source(self, source: Path) -> Self:
        """Return the same settings with another source."""
        return replace(self, settings=self.settings.model_copy(update={"source": source}))

    @property
    def key(self) -> Key | None:
        """Where the key comes from; None if no setting holds one."""
        for name, kind in _SECRETS.items():
            if name in self.given:
                secret = self.given[name].value
                if not isinstance(secret, str):
                    return Key(name=name, kind=kind, secret=secret)
        return None

    @property
    def keeps_key(self) -> bool:
        """Whether the settings file itself holds the key, not the environment or another file."""
        key = self.key
        return (
            key is not None
            and isinstance(key.secret, Literal)
            and self.given[key.name].origin != _ENVIRONMENT
        )

    def installation(self, key: Key | None = None) -> Installation:
        """Return what a run needs; `key` stands in for one that is not set.

        Raises SettingMissing if there is no key.
        """
        key = self.key or key
        if key is None:
            raise errors.SettingMissing(name="UNSTOPPABLE_KEY", env_file=self.env_file)
        return Installation(
            resource=self.resource,
            hot=self.settings.hot,
            cold=self.settings.cold,
            state=self.settings.state,
            pins_file=self.pins_file,
            key=key,
        )


def load(named: Path | None, *, may_be_missing: bool = False) -> Configuration:
    """Return the settings of the environment and, where it is silent, of the settings file.

    A file that nobody named may be missing; with `may_be_missing` a named one as well.
    Raises the errors of settings, each naming the place and the setting.
    """
    path = env_file.locate(named)
    in_environment, in_file = _from_environment(), None
    try:
        in_file = _from_file(path)
    except errors.EnvFileMissing:
        if env_file.is_named(named) and not may_be_missing:
            raise
    given = {**(in_file or {}), **in_environment}
    return Configuration(
        settings=_settings(given), given=given, env_file=path, has_file=in_file is not None
    )


def _from_environment() -> dict[str, Given]:
    found = {
        name: Given(value=value, origin=_ENVIRONMENT)
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name not in _READ_ELSEWHERE
    }
    return _resolved(found)


def _from_file(path: Path) -> dict[str, Given]:
    found = {
        name: Given(value=line.value, origin=f"{path} line {line.number}")
        for name, line in env_file.read(path).items()
    }
    return _resolved(found)


def _resolved(found: dict[str, Given]) -> dict[str, Given]:
    """Return the settings by their names without `_FILE`, each known and given once."""
    resolved: dict[str, Given] = {}
    for written, given in found.items():
        name = written if written in NAMES else written.removesuffix("_FILE")
        if name not in NAMES:
            nearest = difflib.get_close_matches(written, NAMES, n=1, cutoff=0)[0]
            raise errors.SettingUnknown(name=written, origin=given.origin, nearest=nearest)
        if name in resolved:
            reason = f"{name} and {name}_FILE are both set"
            raise errors.SettingInvalid(name=written, origin=given.origin, reason=reason)
        resolved[name] = _value(name, written, given)
    return resolved


def _value(name: str, written: str, given: Given) -> Given:
    text = str(given.value)
    if not text and name != "UNSTOPPABLE_EXCLUDE":
        reason = "it is empty; give it a value or leave it out"
        raise errors.SettingInvalid(name=written, origin=given.origin, reason=reason)
    value: str | Secret = text
    if written != name:
        in_file = InFile(name=name, path=_file(written, text, given.origin))
        value = in_file if name in _SECRETS else read_private(in_file.path, name=name).rstrip("\n")
    elif name in _SECRETS:
        parse_key(text, _SECRETS[name], name=name)
        value = Literal(text)
    return Given(value=value, origin=given.origin)


def _file(name: str, text: str, origin: str) -> Path:
    try:
        return _folder(text)
    except ValueError as error:
        raise errors.SettingInvalid(name=name, origin=origin, reason=error) from error


def _settings(given: Mapping[str, Given]) -> Settings:
    if len(both := [name for name in _SECRETS if name in given]) > 1:
        reason = f"{both[0]} is set as well"
        raise errors.SettingInvalid(name=both[1], origin=given[both[1]].origin, reason=reason)
    data = env_file.data_folder()
    values: dict[str, Any] = {place: data / place for place in ("hot", "cold", "state")}
    values |= {name.removeprefix(PREFIX).lower(): found.value for name, found in given.items()}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, given) from error


def _invalid(error: ValidationError, given: Mapping[str, Given]) -> errors.SettingInvalid:
    first = error.errors(include_url=False, include_input=False)[0]
    name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "UNSTOPPABLE_COLD"
    origin = given[name].origin if name in given else "the defaults"
    reason = first["msg"].removeprefix("Value error, ")
    return errors.SettingInvalid(name=name, origin=origin, reason=reason)
