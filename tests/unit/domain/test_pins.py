import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins, PinsMalformed, read_pins, write_pins

DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
PINS = st.builds(
    Pins,
    repository_id=DIGESTS,
    config_sha256=DIGESTS,
    key_fingerprint=DIGESTS,
    generation=st.integers(1, 2**32 - 1),
)
NAMES = st.text("abcxyz019", min_size=1, max_size=20)
RESOURCES = st.builds(ResourceName, customer=NAMES, resource=NAMES)
GOOD = Pins(repository_id="a" * 64, config_sha256="b" * 64, key_fingerprint="c" * 64, generation=1)


@given(pins=st.dictionaries(RESOURCES, PINS, max_size=5))
def test_what_is_written_is_read_again(pins):
    assert read_pins(write_pins(pins)) == pins


def document(**changes: object) -> str:
    """Return a pins file with some fields of its one resource changed."""
    name = ResourceName(customer="acme", resource="www")
    found = json.loads(write_pins({name: GOOD}))
    found["resources"]["acme/www"].update(changes)
    return json.dumps(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"version": 2, "resources": {}}',
        '{"version": true, "resources": {}}',
        '{"version": 1}',
        '{"version": 1, "resources": []}',
        '{"version": 1, "resources": {}, "more": 1}',
        '{"version": 1, "resources": {"acme": {}}}',
        '{"version": 1, "resources": {"acme/www": {}}}',
        '{"version": 1, "version": 1, "resources": {}}',
        document(generation=0),
        document(generation=True),
        document(generation="1"),
        document(config_sha256="B" * 64),
        document(config_sha256="b" * 63),
        document(repository_id=None),
        document(more=1),
    ],
)
def test_what_is_not_exactly_pins_is_refused(text):
    with pytest.raises(PinsMalformed):
        read_pins(text)
