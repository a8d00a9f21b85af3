import pytest

from unstoppable.domain.errors import KeyInvalid
from unstoppable.domain.keys import KeyKind, parse_key


@pytest.mark.parametrize("kind", KeyKind)
def test_a_written_key_is_read(kind):
    key = bytes(range(kind.value))

    assert parse_key(key.hex(), kind, name="UNSTOPPABLE_KEY") == key
    assert parse_key(key.hex().upper(), kind, name="UNSTOPPABLE_KEY") == key


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "a b" * 21 + "c", "é" * 64])
def test_what_is_no_key_is_refused_without_telling_it(text):
    with pytest.raises(KeyInvalid) as raised:
        parse_key(text, KeyKind.ROOT, name="UNSTOPPABLE_KEY")

    assert "UNSTOPPABLE_KEY" in str(raised.value)
    assert not text or text not in str(raised.value) + raised.value.hint
