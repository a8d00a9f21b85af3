"""Reads settings: the environment, the settings file, and what is wrong with both."""
# ruff: noqa: PLC0415 - pydantic is imported when a setting is read, so that help is quick

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unstoppable.cli import env_file
from unstoppable.cli.configuration import (
    ENVIRONMENT,
    HANDED_OVER,
    KEYS,
    OF_SENDER,
    PING_URL,
    PLACES,
    PREFIX,
    S3_KEY_ID,
    S3_SECRET,
    SOURCE_PASSWORD,
    Configuration,
    Given,
)
from unstoppable.domain import errors, ftps
from unstoppable.domain.customer_errors import (
    CustomerKeyInvalid,
    OneOrMany,
)
from unstoppable.domain.delivery import ping_address
from unstoppable.domain.ftps import FtpsFolder
from unstoppable.domain.keys import parse_key
from unstoppable.domain.s3 import SCHEME, credential
from unstoppable.secrets.reference import InFile, Literal, read_private, read_trusted

if TYPE_CHECKING:
    from unstoppable.cli.settings_model import Settings
    from unstoppable.cli.told import Lists
    from unstoppable.domain.secret import Secret

HANDED_OVER_NAMES = frozenset({*KEYS, S3_SECRET, SOURCE_PASSWORD, S3_KEY_ID})
_SECRETS = (HANDED_OVER_NAMES - {S3_KEY_ID}) | OF_SENDER
_READ_ELSEWHERE = frozenset({env_file.ENV_FILE, "UNSTOPPABLE_CACHE"})
"""Names of the environment that are no settings; the second one is of the build."""
_OF_ONE = frozenset(
    {
        *KEYS,
        SOURCE_PASSWORD,
        *(PREFIX + name for name in ("SOURCE", "SOURCE_PIN", "CUSTOMER", "RESOURCE")),
    }
)
"""Settings of one resource alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of the settings, and everything that is wrong with them."""

    configuration: Configuration
    faults: tuple[errors.UnstoppableError, ...]
    unknown: frozenset[str]
    """Settings whose value nobody knows because of a fault; the configuration has a default."""


class SettingsReader:
    """Reads settings and remembers what is wrong with them."""

    def __init__(self, lists: "Lists | None" = None) -> None:
        """Begin with the `lists` that another reader has read already."""
        self.lists: Lists = {} if lists is None else lists
        self.faults: list[errors.UnstoppableError] = []
        self.unknown: set[str] = set()

    def environment(self) -> dict[str, Given]:
        """Return what the environment sets."""
        found = {
            name: Given(value=value, origin=ENVIRONMENT)
            for name, value in os.environ.items()
            if name.startswith(PREFIX) and name not in _READ_ELSEWHERE
        }
        return self._resolved(found)

    def handed_over(self, secrets: Mapping[str, str]) -> dict[str, Given]:
        """Return what another program gave: secrets alone, whose files need not be readable."""
        for name in secrets.keys() - HANDED_OVER_NAMES:
            self._refuse(name, Given(value="", origin=HANDED_OVER), "only secrets are handed over")
        return self._resolved(
            {
                name: Given(value=value, origin=HANDED_OVER)
                for name, value in secrets.items()
                if name in HANDED_OVER_NAMES
            }
        )

    def file(
        self, path: Path, *, may_be_missing: bool, is_secretless: bool = False
    ) -> dict[str, Given] | None:
        """Return what the settings file sets; None if it is not there or cannot be read.

        Secretless, no secret that stands in it is there, or in the memory of this process.
        """
        from unstoppable.cli.settings_model import NAMES

        try:
            lines, faults = env_file.read(path, without=_SECRETS if is_secretless else ())
        except errors.EnvFileMissing as error:
            if not may_be_missing:
                self._remember(error, NAMES)
            return None
        except errors.UnstoppableError as error:
            self._remember(error, NAMES)
            return None
        self.faults += faults
        found = {
            name: Given(value=line.value, origin=f"{path} line {line.number}")
            for name, line in lines.items()
        }
        return self._resolved(found)

    def settings(self, given: Mapping[str, Given]) -> "Settings":
        """Return the settings; what cannot be used has its default."""
        from pydantic import ValidationError

        from unstoppable.cli.settings_model import Settings

        if len(both := [name for name in KEYS if name in given]) > 1:
            reason = f"{both[0]} is set as well"
            self._refuse(both[1], given[both[1]], reason)
        values: dict[str, Any] = {
            name.removeprefix(PREFIX).lower(): found.value for name, found in given.items()
        }
        values = _default_places(values) | values
        try:
            settings = Settings.model_validate(values, context=self.lists)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                field = str(fault["loc"][0])
                name = PREFIX + field.upper()
                self._refuse(name, given[name], fault["msg"].removeprefix("Value error, "))
                values.pop(field)
            values = _default_places(values) | values
            settings = Settings.model_validate(values, context=self.lists)
        if settings.hot == settings.cold:
            name = next(name for name in ("UNSTOPPABLE_HOT", "UNSTOPPABLE_COLD") if name in given)
            reason = f"UNSTOPPABLE_HOT and UNSTOPPABLE_COLD are the same folder, {settings.hot}"
            self._refuse(name, given[name], reason)
        if not isinstance(settings.cold, Path):
            self._look_at_certificates("UNSTOPPABLE_S3_CA_FILE", settings.s3_ca_file, given)
        if isinstance(settings.source, FtpsFolder):
            self._look_at_certificates("UNSTOPPABLE_SOURCE_CA_FILE", settings.source_ca_file, given)
        return settings

    def _look_at_certificates(
        self, name: str, path: Path | None, given: Mapping[str, Given]
    ) -> None:
        """Whoever may write the certificates could stand in for the server."""
        if path is None:
            return
        try:
            if b"-----BEGIN CERTIFICATE-----" not in read_trusted(path):
                self._refuse(name, given[name], f"{path} holds no certificate as PEM")
        except OSError as error:
            self._refuse(name, given[name], f"{path}: {error.strerror}")
        except errors.FileUnsafe as error:
            self._remember(error, [name])

    def _resolved(self, found: dict[str, Given]) -> dict[str, Given]:
        """Return the settings by their names without `_FILE`, each known and given once."""
        resolved: dict[str, Given] = {}
        for written, given in found.items():
            name = _without_file(written)
            try:
                if name is None and len(self.faults) >= env_file.MOST_FAULTS:
                    continue
                if name is None:
                    raise _unknown(written, given)
                if name in resolved:
                    reason = f"{name} and {name}_FILE are both set"
                    raise errors.SettingInvalid(name=written, origin=given.origin, reason=reason)
                resolved[name] = _value(name, written, given)
            except errors.UnstoppableError as error:
                self._remember(error, [name] if name else [])
        return resolved

    def reading(self, configuration: Configuration) -> Reading:
        """Return what was read, with everything that is wrong with it."""
        faults, unknown = tuple(self.faults), frozenset(self.unknown)
        return Reading(configuration=configuration, faults=faults, unknown=unknown)

    @staticmethod
    def is_of_one(given: Mapping[str, Given]) -> bool:
        """Return whether something is said of one resource alone."""
        return bool(_OF_ONE & given.keys())

    def refuse_one_of_many(self, given: Mapping[str, Given], folder: Path) -> None:
        """Refuse what can be said of one resource alone, where there are customers."""
        for name in sorted(_OF_ONE & given.keys()):
            self.faults.append(OneOrMany(name=name, origin=given[name].origin, folder=folder))
        cold = given.get("UNSTOPPABLE_COLD")
        if cold is not None and str(cold.value).startswith(SCHEME):
            reason = "a bucket is one customer's: write cold = \"s3\" into the customer's file"
            self._refuse("UNSTOPPABLE_COLD", cold, reason)

    def _refuse(self, name: str, given: Given, reason: str) -> None:
        called, origin = given.written or name, given.origin
        kind = CustomerKeyInvalid if given.written else errors.SettingInvalid
        self._remember(kind(name=called, origin=origin, reason=reason), [name])

    def _remember(self, error: errors.UnstoppableError, unknown: Iterable[str]) -> None:
        self.faults.append(error)
        self.unknown.update(unknown)


def _default_places(values: Mapping[str, object]) -> dict[str, Path]:
    """Return where hot, cold and state are unless somebody said so; a home may not be known."""
    missing = [place for place in PLACES if place not in values]
    return {place: env_file.data_folder() / place for place in missing}


def _without_file(written: str) -> str | None:
    """Return the setting that is meant; None if nobody reads it."""
    from unstoppable.cli.settings_model import NAMES

    return next((n for n in (written, written.removesuffix("_FILE")) if n in NAMES), None)


def _unknown(written: str, given: Given) -> errors.SettingUnknown:
    from unstoppable.cli.settings_model import NAMES

    nearest = difflib.get_close_matches(written.upper(), NAMES, n=1, cutoff=0)[0]
    return errors.SettingUnknown(name=written, origin=given.origin, nearest=nearest)


def _value(name: str, written: str, given: Given) -> Given:
    text = str(given.value)
    if not text and name != "UNSTOPPABLE_EXCLUDE":
        reason = "it is empty; give it a value or leave it out"
        raise errors.SettingInvalid(name=written, origin=given.origin, reason=reason)
    value: str | Secret = text
    if written != name:
        in_file = InFile(name=name, path=_file(written, text, given.origin))
        value = in_file if name in _SECRETS else read_private(in_file.path, name=name).rstrip("\n")
    elif name in KEYS:
        parse_key(text, KEYS[name], name=name)
        value = Literal(text)
    elif name == SOURCE_PASSWORD:
        value = Literal(ftps.password(text, name=name))
    elif name == PING_URL:
        value = Literal(_ping_url(text, written, given.origin))
    elif name in _SECRETS:
        value = Literal(credential(text, name=name))
    return Given(value=value, origin=given.origin)


def _ping_url(text: str, written: str, origin: str) -> str:
    try:
        return ping_address(text)
    except ValueError as error:
        raise errors.SettingInvalid(name=written, origin=origin, reason=error) from error


def _file(name: str, text: str, origin: str) -> Path:
    # The text is not told: it may be the secret itself, put where its file belongs.
    if not text.startswith("/"):
        reason = "it is not a path that starts with /; the value itself stands in that file"
        raise errors.SettingInvalid(name=name, origin=origin, reason=reason)
    return Path(os.path.normpath(text))
