"""What each field of a signed record may hold; whoever signed it may have written anything."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from unstoppable.domain.canonical import is_number
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.run import (
    HOST_KEPT,
    ISSUES_KEPT,
    KIND_KEPT,
    MESSAGE_KEPT,
    PROGRAM_KEPT,
    TEXT_KEPT,
    VERSION,
    Counts,
)

_Check = Callable[[Any], bool]
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, beyond which no date is read."""


class Start(StrEnum):
    """Why a chain begins; told by its first record."""

    FIRST = "first"
    """The emitter has signed nothing before."""
    JOURNAL_LOST = "journal-lost"
    """Its key was there, and the journal knew of nothing that it signed."""
    KEY_LOST = "key-lost"
    """The journal knew what another key of this customer signed, and that key was gone."""


def check_form(found: Mapping[str, Any]) -> None:
    """Raise ValueError unless these are the fields of a signed record and what they may hold."""
    _check(found, _FORM)


def check_record(found: Mapping[str, Any]) -> None:
    """Raise ValueError unless these are the fields of a run's record, which may be going on."""
    _check(found, _RECORD)


def _check(found: Mapping[str, Any], form: Mapping[str, _Check]) -> None:
    if found.keys() != form.keys():
        raise ValueError("its fields are not those of a record")
    for name, is_right in form.items():
        if not is_right(found[name]):
            cause = f"its field {name} holds what it cannot hold"
            raise ValueError(cause)


def _line(most: int) -> _Check:
    """Return whether a value is text that a terminal only shows, of so many characters at most."""
    return lambda value: isinstance(value, str) and len(value) <= most and value.isprintable()


def _is_moment(value: Any) -> bool:  # noqa: ANN401 - anything of JSON
    return is_number(value) and value <= _LAST_SECOND


def _fits(pattern: str) -> _Check:
    form = re.compile(pattern)
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


def _one_of(words: type[StrEnum]) -> _Check:
    return lambda value: isinstance(value, str) and value in set(words)


def _or_none(is_right: _Check) -> _Check:
    return lambda value: value is None or is_right(value)


def _is_counts(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == set(Counts.__slots__)
        and all(map(is_number, value.values()))
    )


def _is_issues(value: object) -> bool:
    is_issue = _object(_ISSUE)
    return isinstance(value, list) and len(value) <= ISSUES_KEPT and all(map(is_issue, value))


def _object(form: Mapping[str, _Check]) -> _Check:
    """Return whether a value is an object of these fields, each with what it may hold."""
    return lambda value: (
        isinstance(value, dict)
        and value.keys() == form.keys()
        and all(is_right(value[name]) for name, is_right in form.items())
    )


_ISSUE: Mapping[str, _Check] = MappingProxyType(
    {"kind": _line(KIND_KEPT), "path": _line(TEXT_KEPT), "message": _line(TEXT_KEPT)}
)
_NAME = _fits(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")
_DIGEST = _fits(r"[0-9a-f]{64}")
_REPOSITORY: Mapping[str, _Check] = MappingProxyType(
    {
        "id": _DIGEST,
        "generation": lambda value: is_number(value) and value > 0,
        "key_fingerprint": _DIGEST,
    }
)
_RECORD: Mapping[str, _Check] = MappingProxyType(
    {
        "version": lambda value: is_number(value) and value == VERSION,
        "run": _fits(r"[!-~]{1,100}"),
        "customer": _NAME,
        "resource": _NAME,
        "slot": _or_none(_is_moment),
        "started_at": _is_moment,
        "ended_at": _or_none(_is_moment),
        "pid": is_number,
        "host": _or_none(_line(HOST_KEPT)),
        "program_version": _or_none(_line(PROGRAM_KEPT)),
        "outcome": _or_none(_one_of(Outcome)),
        "exit_code": _or_none(is_number),
        "message": _or_none(_line(MESSAGE_KEPT)),
        "repository": _or_none(_object(_REPOSITORY)),
        "snapshot": _or_none(_DIGEST),
        "counts": _or_none(_is_counts),
        "issues": _is_issues,
    }
)
_FORM: Mapping[str, _Check] = MappingProxyType(
    {
        **_RECORD,
        "outcome": _one_of(Outcome),
        "exit_code": is_number,
        "emitter": _fits(r"[a-z0-9-]{1,20}:[0-9a-f]{64}"),
        "chain": _fits(r"[0-9a-f]{32}"),
        "sequence": lambda value: is_number(value) and value > 0,
        "previous": _or_none(_DIGEST),
        "start": _or_none(_one_of(Start)),
    }
)
