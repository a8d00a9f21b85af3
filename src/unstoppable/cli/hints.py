"""Commands in what is said to people, as they have to be typed.

Where there are many customers a command has to name its resource. What is said is written without
one, where somebody may know nothing of customers; here it gets the name before it is shown.
"""

import re
from dataclasses import dataclass

from unstoppable.domain.errors import NoRepository, PinsMissing, UnstoppableError
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outlook_errors import ResourceInvalid

TAKE_RESOURCE = (
    "backup",
    "bucket check",
    "bucket create",
    "bucket plan",
    "check",
    "config check",
    "config show",
    "hot rebuild",
    "key emitter",
    "key fingerprint",
    "key sheet",
    "ls",
    "notify test",
    "restore",
    "runs",
    "schedule show",
    "schedule tick",
    "secrets check",
    "snapshots",
    "source check",
    "source pin",
    "status",
)
"""Commands after whose name a resource may stand."""
_COMMAND = re.compile(rf"`unstoppable ({'|'.join(TAKE_RESOURCE)})((?: [^`]*)?)`")
_NAMED = re.compile(r" [a-z0-9-]+/[a-z0-9-]+(?= |$)")
_OF_MANY = {
    NoRepository: "is cold the right place? its repository was made when the customer was added",
    ResourceInvalid: "write it as customer/resource, such as acme/www",
    PinsMissing: "bring the file back from a copy: the bundle has it, and the machine that made it",
}
"""What is said instead of what holds for one directory alone."""


@dataclass(slots=True)
class _Talk:
    """What this program is called about."""

    are_many: bool = False
    resource: ResourceName | None = None


_talk = _Talk()


def are_many(*, is_so: bool) -> None:
    """Remember whether there are many customers; what was chosen before is forgotten."""
    _talk.are_many, _talk.resource = is_so, None


def about(resource: ResourceName) -> None:
    """Remember which resource the command is about."""
    _talk.resource = resource


def said(text: str) -> str:
    """Return what is said, with commands that name the resource where they have to."""
    return named(text, _talk.resource) if _talk.are_many else text


def of(error: UnstoppableError) -> str:
    """Return the hint of an error, which may be about another resource."""
    if not _talk.are_many:
        return error.hint
    way_out = _OF_MANY.get(type(error), error.hint)
    about_whom = error.facts.get("resource") or _talk.resource
    return named(way_out, about_whom)


def named(text: str, resource: object) -> str:
    """Return a text in which every command names a resource, if there is one to be named."""
    if resource is None:
        return text

    def with_name(found: re.Match[str]) -> str:
        command, rest = found.groups()
        return found[0] if _NAMED.match(rest) else f"`unstoppable {command} {resource}{rest}`"

    return _COMMAND.sub(with_name, text)
