"""What a customer's file may say: each key, the setting that it gives, and its form.

Values are those of settings, in TOML's own types; what they mean is said in settings_model.py.
Pydantic takes a quarter of a second to import: only what reads such a file imports this.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, create_model

from unstoppable.cli.settings_model import PREFIX, TOLD
from unstoppable.domain import toml

REFERENCE = "A reference, `env:NAME`, `file:PATH` or `infisical:/PATH/NAME`, never the value."


Text = Annotated[str, Field(strict=True, max_length=toml.MOST_CHARACTERS)]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a customer's file."""

    setting: str
    """The setting that it gives, without UNSTOPPABLE_."""
    form: Any = Text
    is_secret: bool = False
    """Whether only a reference may stand there."""
    may_refer: bool = False
    is_file: bool = False
    """Whether it is a path, which may begin in the folder of the customer's file."""


Whole = Annotated[int, Field(ge=1, le=toml.LARGEST_INTEGER, strict=True)]
Texts = list[Text]
OF_CUSTOMER = {
    "endpoint": Key("s3_endpoint"),
    "region": Key("s3_region"),
    "addressing": Key("s3_addressing"),
    "access_key_id": Key("s3_access_key_id", may_refer=True),
    "secret_access_key": Key("s3_secret_access_key", is_secret=True),
    "ca_file": Key("s3_ca_file", is_file=True),
    "connections": Key("s3_connections", Whole),
    "bandwidth": Key("s3_bandwidth"),
    "reporters": Key("reporters", Texts),
    "ping_url": Key("ping_url", is_secret=True),
    "notify_ca_file": Key("notify_ca_file"),
}
OF_ANY_RESOURCE = {
    "exclude": Key("exclude", Texts),
    "one_file_system": Key("one_file_system", StrictBool),
    "schedule": Key("schedule"),
    "zone": Key("schedule"),
    "max_shrink": Key("max_shrink"),
    "max_runtime": Key("max_runtime"),
    "overlap": Key("overlap"),
    "allow_private": Key("source_allow_private", StrictBool),
    "connections": Key("source_connections", Whole),
    "bandwidth": Key("source_bandwidth"),
    "reread": Key("source_reread"),
    "max_files": Key("source_max_files", Whole),
    "max_bytes": Key("source_max_bytes"),
}
OF_ONE_RESOURCE = {
    "source": Key("source"),
    "password": Key("source_password", is_secret=True),
    "pin": Key("source_pin"),
    "ca_file": Key("source_ca_file", is_file=True),
    "repository_key": Key("repository_key", is_secret=True),
    "ping_url": Key("ping_url", is_secret=True),
}
OF_RESOURCE = OF_ONE_RESOURCE | OF_ANY_RESOURCE
_ZONE = "The zone whose clock the schedule follows, such as `Europe/Berlin`; else it is UTC."
_EXCLUDE = "What is left out: a list of patterns as in gitignore, relative to the source."
_REPORTERS = (
    "Other machines that are sent the signed record of each run of this customer, a list of "
    "whole addresses, `https://` each; else those of UNSTOPPABLE_REPORTERS."
)
_MEANINGS = {"zone": _ZONE, "exclude": _EXCLUDE, "reporters": _REPORTERS}


def _table(title: str, about: str, keys: dict[str, Key], /, **more: Any) -> type[BaseModel]:  # noqa: ANN401 - as pydantic has it
    fields: dict[str, Any] = {key: _field(key, found) for key, found in keys.items()}
    return create_model(
        title,
        __config__=ConfigDict(extra="forbid", hide_input_in_errors=True, title=about),
        **fields,
        **more,
    )


def _field(key: str, found: Key) -> tuple[Any, Any]:
    told = TOLD[PREFIX + found.setting.upper()]
    meaning = _MEANINGS.get(key, told.meaning)
    return found.form, _unsaid(f"{meaning} {REFERENCE}" if found.is_secret else meaning)


def _unsaid(meaning: str) -> Any:  # noqa: ANN401 - as pydantic has it
    """Return a field that may be left out; TOML has no null, so it is none of its values."""
    return Field(default=None, description=meaning, json_schema_extra=_forget_default)


def _forget_default(schema: dict[str, Any]) -> None:
    del schema["default"]


_PERIODS = ("last", "daily", "weekly", "monthly", "yearly")
_COUNTS: dict[str, Any] = {
    period: (Whole, _unsaid("How many of these will be kept.")) for period in _PERIODS
}
Keep = create_model(
    "Keep",
    __config__=ConfigDict(extra="forbid", hide_input_in_errors=True),
    __doc__="How many backups will be kept of each kind; without effect yet, every one stays.",
    **_COUNTS,
)
_KEEP = (Keep, _unsaid("How many backups will be kept; without effect yet, every one stays."))
Defaults = _table(
    "Defaults", "For each of the resources that says nothing else", OF_ANY_RESOURCE, keep=_KEEP
)
Resource = _table("Resource", "What is backed up", OF_RESOURCE, keep=_KEEP)
Infisical = create_model(
    "Infisical",
    __config__=ConfigDict(extra="forbid", hide_input_in_errors=True),
    __doc__="As whom the customer's secrets are asked for at an Infisical server.",
    server=(Text, _unsaid("Its address; by default that of UNSTOPPABLE_INFISICAL_URL.")),
    ca_file=(Text, _unsaid("The certificates that are trusted for it.")),
    project=(Text, Field(description="The id of the project.")),
    environment=(Text, _unsaid("The slug of the environment; by default `prod`.")),
    client_id=(Text, Field(description="The client id of the customer's identity.")),
    client_secret=(
        Text,
        Field(description="Its client secret, as a reference `env:NAME` or `file:/PATH`."),
    ),
    shares_identity=(StrictBool, _unsaid("`true` where another customer has the same identity.")),
)
CustomerFile = _table(
    "CustomerFile",
    "A customer of this installation",
    OF_CUSTOMER,
    name=(Text, _unsaid("How people call the customer.")),
    cold=(
        Annotated[str, Field(strict=True, pattern="^(s3|folder)$")],
        _unsaid(
            "`s3` keeps the backups in the customer's own bucket, `folder` in that of "
            "UNSTOPPABLE_COLD, which is the default."
        ),
    ),
    bucket=(Text, _unsaid("The bucket; by default it has the customer's name.")),
    mail_to=(
        Texts,
        _unsaid(
            "Who else gets mail about this customer's resources, and no other's, besides those of "
            "UNSTOPPABLE_MAIL_TO."
        ),
    ),
    infisical=(Infisical, _unsaid("Where references `infisical:/PATH/NAME` lead.")),
    defaults=(Defaults, _unsaid("What holds for each resource that says nothing else.")),
    resources=(
        dict[StrictStr, Resource],  # type: ignore[valid-type] # made of the tables above
        Field(min_length=1, description="What is backed up, each by its name."),
    ),
)
