"""A new customer's file."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """What is said of a customer who is added."""

    resources: dict[str, str]
    """Sources by the names of resources."""
    keys: Path
    """The folder that holds, or will hold, the key of each."""
    title: str | None = None
    bucket: str | None = None
    access_key_id: str | None = None
    secret_file: Path | None = None
    password_file: Path | None = None
    schedule: str | None = None


def toml_of(new: NewCustomer) -> str:
    """Return the text of the customer's file; secrets are references."""
    top = {
        "name": new.title,
        "cold": "s3" if new.bucket else None,
        "bucket": new.bucket,
        "access_key_id": new.access_key_id,
        "secret_access_key": _reference(new.secret_file),
    }
    tables = [_lines(top)]
    for name, source in new.resources.items():
        table = {
            "source": source,
            "password": _reference(new.password_file),
            "repository_key": _reference(new.keys / f"{name}.key"),
            "schedule": new.schedule,
        }
        tables.append(f"[resources.{name}]\n{_lines(table)}")
    return "\n".join(filter(None, tables))


def _lines(table: dict[str, str | None]) -> str:
    said = {key: _quoted(value) for key, value in table.items() if value is not None}
    return "".join(f"{key} = {text}\n" for key, text in said.items())


def _quoted(text: str) -> str:
    """Return a text as TOML has it: as JSON has it, but for a sign that nobody types."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _reference(path: Path | None) -> str | None:
    return None if path is None else f"file:{path.absolute()}"
