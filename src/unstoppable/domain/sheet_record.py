"""What a machine remembers of its recovery sheets; no secret is in it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from unstoppable.domain.errors import NameInvalid
from unstoppable.domain.names import ResourceName

VERSION = 1
_FIELDS = {"resource", "folders", "confirmed_at"}
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class RecordMalformed(ValueError):
    """The text holds no such records; its argument says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRecord:
    """What is known of the sheets of one key."""

    resource: ResourceName
    folders: tuple[str, ...] = ()
    """Where sheets were written that nobody deleted by us."""
    confirmed_at: datetime | None = None
    """When groups were typed from paper; None if never."""

    @classmethod
    def from_fields(cls, found: object) -> Self:
        """Return the record written as a JSON object; raises RecordMalformed."""
        if not isinstance(found, dict) or set(found) != _FIELDS:
            raise RecordMalformed("a sheet is " + ", ".join(sorted(_FIELDS)))
        folders, confirmed_at = found["folders"], found["confirmed_at"]
        if not isinstance(folders, list) or not all(isinstance(name, str) for name in folders):
            raise RecordMalformed("folders is not a list of texts")
        if confirmed_at is not None and type(confirmed_at) is not int:
            raise RecordMalformed("confirmed_at is no number")
        try:
            resource = ResourceName.parse(str(found["resource"]))
            when = None if confirmed_at is None else datetime.fromtimestamp(confirmed_at, UTC)
        except (NameInvalid, ValueError, OverflowError, OSError) as error:
            raise RecordMalformed(str(error)) from error
        return cls(resource=resource, folders=tuple(folders), confirmed_at=when)

    def to_fields(self) -> dict[str, object]:
        """Return the record as a JSON object."""
        when = self.confirmed_at
        return {
            "resource": str(self.resource),
            "folders": list(self.folders),
            "confirmed_at": None if when is None else int(when.timestamp()),
        }


def read_records(text: str) -> dict[str, SheetRecord]:
    """Return the records by the fingerprints of their keys; raises RecordMalformed."""
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise RecordMalformed("it is not JSON") from error
    if not isinstance(document, dict) or set(document) != {"version", "sheets"}:
        raise RecordMalformed("it is not an object of version and sheets")
    if type(document["version"]) is not int or document["version"] != VERSION:
        raise RecordMalformed("its version is not 1")
    sheets = document["sheets"]
    if not isinstance(sheets, dict) or not all(map(_FINGERPRINT.fullmatch, sheets)):
        raise RecordMalformed("sheets is not an object with the fingerprints of keys")
    return {fingerprint: SheetRecord.from_fields(found) for fingerprint, found in sheets.items()}


def write_records(records: Mapping[str, SheetRecord]) -> str:
    """Return the text of the file."""
    sheets = {fingerprint: records[fingerprint].to_fields() for fingerprint in sorted(records)}
    return json.dumps({"version": VERSION, "sheets": sheets}, indent=2) + "\n"
