import json
from dataclasses import replace

import pytest

from tests.unit.domain.test_entry import FILE
from unstoppable.cli import entries


@pytest.mark.parametrize("seconds", [-(10**15), 300_000_000_000, 10**18])
def test_a_time_that_no_calendar_has_is_told_as_a_number(seconds):
    entry = replace(FILE, modified_seconds=seconds)

    assert f" @{seconds} " in entries.as_line(entry)
    assert json.loads(entries.as_json(entry))["modified_at"] == f"@{seconds}"


def test_what_is_not_known_is_null():
    entry = replace(FILE, mode=None, modified_seconds=None, user=None)

    found = json.loads(entries.as_json(entry))

    assert (found["mode"], found["modified_at"], found["user"]) == (None, None, None)
