"""What a person is told of a setting, and forms that several settings have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator, ValidationInfo

from unstoppable.cli import settings_values as values
from unstoppable.secrets.infisical_secrets import InInfisical
from unstoppable.secrets.reference import InFile, InVariable, Literal

Lists = dict[tuple[Callable[[object], tuple[str, ...]], str], tuple[str, ...] | str]
"""Lists by what reads them and their text, and sentences where a text is none."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of a setting."""

    meaning: str
    default: str
    """In words: what is not set, and what depends on the machine, has no value to show."""
    example: str
    is_secret: bool = False
    """Whether only the name of its file may be shown."""


def list_of(parse: Callable[[object], tuple[str, ...]]) -> PlainValidator:
    """Return what reads a list from its text, each text once in a reading.

    A reading's context remembers the lists, or why a text is none: thousands of resources of a
    customer have the same one, and it may be as long as a file.
    """

    def validate(value: object, info: ValidationInfo) -> tuple[str, ...]:
        known: Lists = {} if info.context is None else info.context
        found = known.get((parse, text := str(value)))
        if found is None:
            try:
                found = parse(text)
            except ValueError as error:
                found = str(error)
            known[parse, text] = found
        if isinstance(found, str):
            raise ValueError(found)  # noqa: TRY004 - pydantic takes no other for a value's fault
        return found

    return PlainValidator(validate)


Kept = Literal | InFile | InVariable | InInfisical
Folder = Annotated[Path, BeforeValidator(values.folder)]
