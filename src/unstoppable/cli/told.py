"""What a person is told of a setting, and forms that several settings have."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from unstoppable.cli import settings_values as values
from unstoppable.secrets.infisical_secrets import InInfisical
from unstoppable.secrets.reference import InFile, InVariable, Literal


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of a setting."""

    meaning: str
    default: str
    """In words: what is not set, and what depends on the machine, has no value to show."""
    example: str
    is_secret: bool = False
    """Whether only the name of its file may be shown."""


Kept = Literal | InFile | InVariable | InInfisical
Folder = Annotated[Path, BeforeValidator(values.folder)]
