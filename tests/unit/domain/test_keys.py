import pytest

from unstoppable.domain.errors import KeyInvalid
from unstoppable.domain.groups import split
from unstoppable.domain.keys import KeyKind, parse_key


@pytest.mark.parametrize("kind", KeyKind)
def test_a_written_key_is_read(kind):
    key = bytes(range(kind.value))

    assert parse_key(key.hex(), kind, name="UNSTOPPABLE_KEY") == key
    assert parse_key(key.hex().upper(), kind, name="UNSTOPPABLE_KEY") == key


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_in_the_groups_of_its_sheet_is_read(kind):
    key = bytes(range(kind.value))
    groups = split(key.hex())

    for text in ("\n".join(groups), "".join(groups).replace(" ", "").upper()):
        assert parse_key(text, kind, name="UNSTOPPABLE_KEY") == key


@pytest.mark.parametrize("kind", KeyKind)
def test_blanks_among_plain_digits_change_nothing(kind):
    key = bytes(range(kind.value))
    text = key.hex(" ", 4)

    assert parse_key(text, kind, name="UNSTOPPABLE_KEY") == key
    assert parse_key(f"{text[:17]}\n\t{text[17:]}", kind, name="UNSTOPPABLE_KEY") == key


def test_a_mistyped_group_is_named():
    first, second, *rest = split(bytes(range(32)).hex())
    text = "\n".join([first, second.replace("0", "8", 1), *rest])

    with pytest.raises(KeyInvalid, match="UNSTOPPABLE_KEY is not a key: group 2 is mistyped"):
        parse_key(text, KeyKind.ROOT, name="UNSTOPPABLE_KEY")


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "a b" * 21 + "c", "é" * 64])
def test_what_is_no_key_is_refused_without_telling_it(text):
    with pytest.raises(KeyInvalid) as raised:
        parse_key(text, KeyKind.ROOT, name="UNSTOPPABLE_KEY")

    assert "UNSTOPPABLE_KEY" in str(raised.value)
    assert not text or text not in str(raised.value) + raised.value.hint
