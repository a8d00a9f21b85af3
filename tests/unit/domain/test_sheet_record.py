import json
from datetime import UTC, datetime

import pytest

from unstoppable.domain.names import ResourceName
from unstoppable.domain.sheet_record import (
    RecordMalformed,
    SheetRecord,
    read_records,
    write_records,
)

WWW = ResourceName(customer="alice", resource="www")
KEY = "c" * 64
SHEET = {"resource": "alice/www", "folders": ["/etc"], "confirmed_at": None}


@pytest.mark.parametrize("confirmed_at", [None, datetime(2026, 11, 24, 8, 30, tzinfo=UTC)])
def test_what_is_written_is_read_again(confirmed_at):
    folders = ("/etc/unstoppable", "/media/\udcff")
    records = {KEY: SheetRecord(resource=WWW, folders=folders, confirmed_at=confirmed_at)}

    assert read_records(write_records(records)) == records


def test_a_sheet_of_which_nothing_happened_is_neither_written_nor_confirmed():
    record = SheetRecord(resource=WWW)

    assert (record.folders, record.confirmed_at) == ((), None)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"version": 2, "sheets": {}},
        {"version": True, "sheets": {}},
        {"version": 1, "sheets": []},
        {"version": 1, "sheets": {"short": SHEET}},
        {"version": 1, "sheets": {KEY: []}},
        {"version": 1, "sheets": {KEY: SHEET | {"more": 1}}},
        {"version": 1, "sheets": {KEY: SHEET | {"resource": "alice"}}},
        {"version": 1, "sheets": {KEY: SHEET | {"folders": "/etc"}}},
        {"version": 1, "sheets": {KEY: SHEET | {"folders": [1]}}},
        {"version": 1, "sheets": {KEY: SHEET | {"confirmed_at": True}}},
        {"version": 1, "sheets": {KEY: SHEET | {"confirmed_at": "yes"}}},
        {"version": 1, "sheets": {KEY: SHEET | {"confirmed_at": 10**30}}},
    ],
)
def test_what_is_no_record_is_refused(document):
    with pytest.raises(RecordMalformed):
        read_records(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(RecordMalformed, match="it is not JSON"):
        read_records(text)
