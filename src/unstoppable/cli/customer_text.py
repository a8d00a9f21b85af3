"""A new customer's file, on the machine where it is made and in its bundle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from unstoppable.cli.configuration import (
    PREFIX,
    S3_SECRET,
    SOURCE_PASSWORD,
    Configuration,
)
from unstoppable.domain import toml
from unstoppable.domain.customer_errors import (
    CustomerFileFixed,
    CustomerFileFull,
    CustomerFileInvalid,
    ResourceExists,
)
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import write_pins
from unstoppable.runner import pins_file
from unstoppable.runner.bundle import PINS_SUFFIX, TABLE_SUFFIX, Bundle
from unstoppable.runner.customer_setup import KEY_SUFFIX
from unstoppable.secrets.reference import InFile, read_private, read_trusted

_OF_SERVER = ("endpoint", "region", "addressing")
_AUTHORITIES = "s3-ca.pem"
_AUTHORITIES_OF_SOURCE = "source-ca.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """What is said of a customer who is added."""

    name: str
    resources: Mapping[str, str]
    """Sources by the names of resources."""
    title: str | None = None
    bucket: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    """A reference."""
    password: str | None = None
    """A reference."""
    schedule: str | None = None
    server: Mapping[str, str] = field(default_factory=dict)
    """How the bucket is reached, where the customer's file says it, by its keys."""
    source_ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResource:
    """What is said of a resource that is added."""

    name: ResourceName
    source: str
    password: str | None = None
    """A reference."""
    schedule: str | None = None
    source_ca_file: str | None = None


def table_of(new: NewResource) -> str:
    """Return the table of a resource in its customer's file; secrets are references."""
    table = {
        "source": new.source,
        "ca_file": new.source_ca_file,
        "password": new.password,
        "repository_key": f"file:{new.name.customer}/{new.name.resource}{KEY_SUFFIX}",
        "schedule": new.schedule,
    }
    return f"[resources.{new.name.resource}]\n{_lines(table)}"


def with_table(text: str, resource: ResourceName, table: str, path: Path) -> str:
    """Return the text of a customer's file at `path` with one more table at its end.

    What stands there stays as it is, comments too. Raises CustomerFileInvalid, ResourceExists,
    CustomerFileFull, or CustomerFileFixed where the table would not add exactly what it says.
    """
    try:
        said = toml.parse(text)
    except ValueError as error:
        raise CustomerFileInvalid(path=path, reason=error) from error
    resources = said.get("resources", {})
    if not isinstance(resources, dict):
        raise CustomerFileInvalid(path=path, reason="resources is no table")
    if resource.resource in resources:
        raise ResourceExists(resource=resource, path=path)
    end = "\r\n" if "\r\n" in text else "\n"
    begun = text if text.endswith("\n") else f"{text}{end}"
    whole = begun + end + table.replace("\n", end)
    if toml.is_too_large(whole):
        raise CustomerFileFull(path=path, reason=toml.TOO_LARGE)
    try:
        wanted = {**said, "resources": {**resources, **toml.parse(table)["resources"]}}
        if toml.parse(whole) != wanted:
            raise CustomerFileFixed(path=path)
    except (ValueError, TypeError) as error:
        raise CustomerFileFixed(path=path) from error
    return whole


def toml_of(new: NewCustomer) -> str:
    """Return the text of the customer's file; secrets are references."""
    top = {
        "name": new.title,
        "cold": "s3" if new.bucket else None,
        "bucket": new.bucket,
        **new.server,
        "access_key_id": new.access_key_id,
        "secret_access_key": new.secret_access_key,
    }
    tables = [_lines(top)]
    for name, source in new.resources.items():
        one = NewResource(
            name=ResourceName(customer=new.name, resource=name),
            source=source,
            password=new.password,
            schedule=new.schedule,
            source_ca_file=new.source_ca_file,
        )
        tables.append(table_of(one))
    return "\n".join(filter(None, tables))


def reference_to(path: Path | None) -> str | None:
    """Return the reference to a file of a secret."""
    return None if path is None else f"file:{path.absolute()}"


def bundle_of(new: NewCustomer, made: Configuration, folder: Path, keys: list[Path]) -> Bundle:
    """Return what another machine needs, wherever it lies there; no root secret is in it.

    `made` are the settings of a resource of the customer here; what of them another settings file
    may not say stands in the bundle. Raises what reading a file does.
    """
    beside = {key.name: read_private(key, name="the key") for key in keys}
    settings, in_bundle = made.settings, new
    if (text := _content(made, S3_SECRET, new.secret_access_key)) is not None:
        beside["secret-access-key"] = text
        in_bundle = replace(in_bundle, secret_access_key=f"file:{new.name}/secret-access-key")
    if (text := _content(made, SOURCE_PASSWORD, new.password)) is not None:
        beside["password"] = text
        in_bundle = replace(in_bundle, password=f"file:{new.name}/password")
    server: dict[str, str] = {}
    if new.bucket:
        given = {key: made.given.get(f"{PREFIX}S3_{key.upper()}") for key in _OF_SERVER}
        server = {key: str(found.value) for key, found in given.items() if found is not None}
    if new.bucket and settings.s3_ca_file:
        beside[_AUTHORITIES] = _certificates(settings.s3_ca_file)
        server["ca_file"] = f"{new.name}/{_AUTHORITIES}"
    if made.is_on_server and settings.source_ca_file:
        beside[_AUTHORITIES_OF_SOURCE] = _certificates(settings.source_ca_file)
        place = f"{new.name}/{_AUTHORITIES_OF_SOURCE}"
        in_bundle = replace(in_bundle, source_ca_file=place)
    text = toml_of(replace(in_bundle, server=server))
    pins = (folder / f"{new.name}.pins.json").read_text()
    files = {f"{new.name}.toml": text, f"{new.name}.pins.json": pins}
    files |= {f"{new.name}/{name}": content for name, content in beside.items()}
    return Bundle(customer=new.name, files={name: text.encode() for name, text in files.items()})


def bundle_of_resource(new: NewResource, made: Configuration, key: Path) -> Bundle:
    """Return what another machine needs that has the customer already.

    Its files have the resource's name, so that none takes the place of another resource's.
    """
    resource, in_bundle = new.name, new
    files = {KEY_SUFFIX: read_private(key, name="the key")}

    def place(suffix: str) -> str:
        return f"{resource.customer}/{resource.resource}{suffix}"

    if (text := _content(made, SOURCE_PASSWORD, new.password)) is not None:
        files[".password"] = text
        in_bundle = replace(in_bundle, password=f"file:{place('.password')}")
    if made.is_on_server and made.settings.source_ca_file:
        files[f".{_AUTHORITIES_OF_SOURCE}"] = _certificates(made.settings.source_ca_file)
        in_bundle = replace(in_bundle, source_ca_file=place(f".{_AUTHORITIES_OF_SOURCE}"))
    pins = pins_file.require(made.pins_file, resource)
    files |= {TABLE_SUFFIX: table_of(in_bundle), PINS_SUFFIX: write_pins({resource: pins})}
    return Bundle(
        customer=resource.customer,
        resource=resource.resource,
        files={place(suffix): text.encode() for suffix, text in files.items()},
    )


def _content(made: Configuration, name: str, reference: str | None) -> str | None:
    """Return what is in the file of a secret that a new customer's file refers to."""
    secret = made.given[name].value if reference else None
    return read_private(secret.path, name=secret.name) if isinstance(secret, InFile) else None


def lacks_access_key(new: NewCustomer) -> bool:
    """Return whether another machine needs an access key that its bundle does not hold."""
    return bool(new.bucket and not (new.access_key_id and new.secret_access_key))


def _lines(table: Mapping[str, str | None]) -> str:
    said = {key: _quoted(value) for key, value in table.items() if value is not None}
    return "".join(f"{key} = {text}\n" for key, text in said.items())


def _quoted(text: str) -> str:
    """Return a text as TOML has it: as JSON has it, but for a sign that nobody types."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _certificates(path: Path) -> str:
    """Return what is in a file of certificates, beside which there may be words of any kind."""
    return read_trusted(path).decode(errors="replace")
