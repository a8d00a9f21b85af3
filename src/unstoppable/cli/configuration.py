"""What the settings mean together; what each one means stands in settings_model.py."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from unstoppable.domain import errors
from unstoppable.domain.customer_errors import CustomerKeyMissing
from unstoppable.domain.ftps import FtpsAccess, FtpsFolder, FtpsSource, Password
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import Credential, S3Access, S3Cold, S3Prefix, endpoint_of_aws
from unstoppable.domain.schedule import Schedule
from unstoppable.domain.secret import Secret
from unstoppable.domain.setup_errors import KeyLost
from unstoppable.domain.source_errors import PasswordMissing
from unstoppable.domain.storage_errors import CredentialMissing
from unstoppable.runner import pins_file
from unstoppable.runner.plan import Installation, Key
from unstoppable.secrets.infisical_secrets import InInfisical
from unstoppable.secrets.reference import InVariable, Literal, NotGiven

if TYPE_CHECKING:
    from unstoppable.cli.settings_model import Settings

PREFIX = "UNSTOPPABLE_"
PLACES = ("hot", "cold", "state")
ROOT_KEY = "UNSTOPPABLE_KEY"
KEYS = {ROOT_KEY: KeyKind.ROOT, "UNSTOPPABLE_REPOSITORY_KEY": KeyKind.REPOSITORY}
S3_SECRET = "UNSTOPPABLE_S3_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a setting
SOURCE_PASSWORD = "UNSTOPPABLE_SOURCE_PASSWORD"  # noqa: S105 - the name of a setting
PING_URL = "UNSTOPPABLE_PING_URL"
SMTP_PASSWORD = "UNSTOPPABLE_SMTP_PASSWORD"  # noqa: S105 - the name of a setting
OF_SENDER = frozenset({PING_URL, SMTP_PASSWORD})
"""Secrets that no run needs: who sends reads them himself."""
ENVIRONMENT = "the environment"
HANDED_OVER = "the pipe of --secrets-fd"
_S3 = "UNSTOPPABLE_S3_"
S3_KEY_ID = f"{_S3}ACCESS_KEY_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value and where it was found."""

    value: str | Secret
    origin: str
    written: str = ""
    """What it is called there, where that is not the setting's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings, and where each of them comes from."""

    settings: "Settings"
    given: Mapping[str, Given]
    env_file: Path
    customer_file: Path | None = None
    """Where there are many customers, the file of the one that this is about."""
    has_file: bool
    """Whether the settings file was there when it was read."""
    only_in_environment: tuple[str, ...]
    """Names of settings that whoever has the settings file alone would lack, or read others."""

    @property
    def pins_file(self) -> Path:
        """Where pins are kept: beside the settings."""
        if self.customer_file is not None:
            return self.customer_file.with_suffix(".pins.json")
        return self.env_file.with_name("pins.json")

    @property
    def sheet_folder(self) -> Path:
        """Where a recovery sheet goes unless somebody names another place."""
        if self.customer_file is None:
            return self.env_file.parent
        return self.customer_file.with_suffix("") / f"{self.resource.resource}-sheet"

    def secrets(self) -> dict[str, str]:
        """Return the secrets of a run by their settings' names; raises what reading them does.

        Those that it needs: in the settings file may stand more, the key to every bucket say.
        """
        found = {name: given.value for name, given in self.given.items()}
        unneeded = set(OF_SENDER)
        if isinstance(self.settings.cold, Path):
            unneeded |= {S3_KEY_ID, S3_SECRET}
        if not self.is_on_server:
            unneeded.add(SOURCE_PASSWORD)
        return {
            name: value.resolve()
            for name, value in found.items()
            if not isinstance(value, str) and name not in unneeded
        }

    @property
    def in_variables(self) -> dict[str, str]:
        """References to variables, by what refers to them: not everybody has this environment."""
        found: dict[str, str] = {}
        for name, given in self.given.items():
            match given.value:
                case InVariable() as secret:
                    found[self.called(name)] = str(secret)
                case InInfisical(keeper=keeper):
                    secret_of_identity = keeper.identity.client_secret.secret
                    if isinstance(secret_of_identity, InVariable):
                        found["infisical.client_secret"] = str(secret_of_identity)
        return found

    def called(self, name: str) -> str:
        """Return what a setting is called where it is set."""
        given = self.given.get(name)
        return (given and given.written) or name

    @property
    def resource(self) -> ResourceName:
        """The one resource of this installation."""
        return ResourceName(customer=self.settings.customer, resource=self.settings.resource)

    @property
    def source(self) -> Path | FtpsSource:
        """What is backed up; raises SettingMissing or SourceInsideRepository.

        A password that is missing is told when the server is asked.
        """
        source = self.settings.source
        if source is None:
            missing = errors.SettingMissing(name="UNSTOPPABLE_SOURCE", env_file=self.env_file)
            raise self._missing("source", missing)
        if isinstance(source, FtpsFolder):
            return self._server(source)
        for field, folder in self.own_folders.items():
            if real(source).is_relative_to(real(folder)):
                raise errors.SourceInsideRepository(
                    source=source, name=PREFIX + field.upper(), folder=folder
                )
        return source

    def _server(self, place: FtpsFolder) -> FtpsSource:
        given = self.settings
        missing = PasswordMissing(name=SOURCE_PASSWORD, source=place, env_file=self.env_file)
        secret = given.source_password or NotGiven(self._missing("password", missing))
        return FtpsSource(
            place=place,
            access=FtpsAccess(
                ca_file=None if given.source_ca_file is None else str(given.source_ca_file),
                pin=given.source_pin,
                allow_private=given.source_allow_private,
                connections=given.source_connections,
                reread_days=given.source_reread,
                max_files=given.source_max_files,
                max_bytes=given.source_max_bytes,
                bytes_per_second=given.source_bandwidth,
            ),
            password=Password(name=self.called(SOURCE_PASSWORD), secret=secret),
        )

    def _missing(self, key: str, missing: errors.UnstoppableError) -> errors.UnstoppableError:
        """Return what is said of a setting that is not there."""
        if self.customer_file is None:
            return missing
        return CustomerKeyMissing(key=key, resource=self.resource, path=self.customer_file)

    @property
    def is_on_server(self) -> bool:
        """Whether the source is on a server, not a folder of this machine."""
        return isinstance(self.settings.source, FtpsFolder)

    @property
    def own_folders(self) -> dict[str, Path]:
        """The folders that are ours: hot, state, and cold where it is one."""
        places = {field: getattr(self.settings, field) for field in PLACES}
        return {field: place for field, place in places.items() if isinstance(place, Path)}

    @property
    def has_cold_folder(self) -> bool:
        """Whether cold is a folder, not a part of a bucket."""
        return isinstance(self.settings.cold, Path)

    @property
    def cold(self) -> Path | S3Cold:
        """Where cold lies; an access key that is missing is told when its bucket is opened."""
        place, key_id = self.settings.cold, self.settings.s3_access_key_id
        if isinstance(place, Path):
            return place
        named = Literal(key_id) if isinstance(key_id, str) else key_id
        return S3Cold(
            place=place,
            access=self.s3_access,
            access_key_id=self._credential(S3_KEY_ID, named, place),
            secret_access_key=self._credential(
                S3_SECRET, self.settings.s3_secret_access_key, place
            ),
        )

    def _credential(self, name: str, secret: Secret | None, place: S3Prefix) -> Credential:
        missing = CredentialMissing(name=name, cold=place, env_file=self.env_file)
        key = name.removeprefix(_S3).lower()
        secret = secret or NotGiven(self._missing(key, missing))
        return Credential(name=self.called(name), secret=secret)

    @property
    def s3_access(self) -> S3Access:
        """How a bucket is reached."""
        given, endpoint = self.settings, self.settings.s3_endpoint
        # No certificate of AWS is for a name with one more dot.
        has_dot = isinstance(given.cold, S3Prefix) and "." in given.cold.bucket
        usual = "path" if endpoint or has_dot else "virtual-host"
        return S3Access(
            endpoint=endpoint or endpoint_of_aws(given.s3_region),
            region=given.s3_region,
            virtual_host=(given.s3_addressing or usual) == "virtual-host",
            ca_file=None if given.s3_ca_file is None else str(given.s3_ca_file),
            connections=given.s3_connections,
            bytes_per_second=given.s3_bandwidth,
        )

    @property
    def schedule(self) -> Schedule:
        """When backups are due; a time at night where nobody named one."""
        return self.settings.schedule or Schedule.nightly(f"{os.uname().nodename} {self.resource}")

    def with_source(self, source: Path | FtpsFolder) -> Self:
        """Return the same settings with another source."""
        return replace(self, settings=self.settings.model_copy(update={"source": source}))

    @property
    def key(self) -> Key | None:
        """Where the key comes from; None if no setting holds one."""
        for name, kind in KEYS.items():
            if name in self.given:
                secret = self.given[name].value
                if not isinstance(secret, str):
                    return Key(name=self.called(name), kind=kind, secret=secret)
        return None

    @property
    def keeps_key(self) -> bool:
        """Whether the settings file itself holds the key, not another file or place."""
        key = self.key
        return (
            key is not None
            and isinstance(key.secret, Literal)
            and self.given[key.name].origin not in {ENVIRONMENT, HANDED_OVER}
        )

    def refuse_lost_key(self) -> None:
        """Raise KeyLost where pins tell that a repository was made with the key that is missing."""
        if pins_file.find(self.pins_file, self.resource) is not None:
            lost = KeyLost(name="UNSTOPPABLE_KEY", env_file=self.env_file, resource=self.resource)
            raise self._missing("repository_key", lost)

    def installation(self, key: Key | None = None) -> Installation:
        """Return what a run needs; `key` stands in for one that is not set.

        Raises SettingMissing or KeyLost if there is no key.
        """
        key = self.key or key
        if key is None:
            self.refuse_lost_key()
            missing = errors.SettingMissing(name="UNSTOPPABLE_KEY", env_file=self.env_file)
            raise self._missing("repository_key", missing)
        return Installation(
            resource=self.resource,
            hot=self.settings.hot,
            cold=self.cold,
            state=self.settings.state,
            pins_file=self.pins_file,
            key=key,
        )


def real(path: Path) -> Path:
    """Return a path without links; one that links to itself stays as it is, for others to tell."""
    return Path(os.path.realpath(path))
