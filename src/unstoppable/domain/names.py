"""Names of customers and resources."""

import re
from dataclasses import dataclass
from typing import Self

from unstoppable.domain.errors import NameInvalid
from unstoppable.domain.outlook_errors import ResourceInvalid

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?")


def name(text: str) -> str:
    """Return `text` if it may name a customer or a resource; raises NameInvalid."""
    if not is_name(text):
        raise NameInvalid(name=text)
    return text


def is_name(text: str) -> bool:
    """Return whether `text` may name a customer or a resource."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ResourceName:
    """What is protected and whose it is, written `acme/www`."""

    customer: str
    resource: str

    def __post_init__(self) -> None:
        name(self.customer)
        name(self.resource)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the resource written as `customer/resource`; raises NameInvalid."""
        customer, slash, resource = text.partition("/")
        if not slash:
            raise ResourceInvalid(name=text)
        return cls(customer=customer, resource=resource)

    def __str__(self) -> str:
        return f"{self.customer}/{self.resource}"
