"""A secret in groups: what a person may mistype is found, and the group is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain import groups
from unstoppable.domain.groups import GroupsMalformed

DIGITS = "0123456789abcdef"
SECRET = "3f9a2b1c5d4e6f708192a3b4c5d6e7f80123456789abcdeffedcba9876543210"

secrets = st.sampled_from((32, 64)).flatmap(
    lambda size: st.binary(min_size=size, max_size=size).map(bytes.hex)
)


def typed(secret: str) -> list[str]:
    """Return the groups without blanks."""
    return [group.replace(" ", "") for group in groups.split(secret)]


def refusal(text: str, secret: str) -> str:
    with pytest.raises(GroupsMalformed) as raised:
        groups.join(text, len(secret))
    return str(raised.value)


def test_a_group_is_eight_digits_and_the_check_that_the_documents_tell():
    first, second, *_ = groups.split(SECRET)

    assert first == "3f9a 2b1c  ac"
    assert int("3f9a2b1c", 16) % 251 + 1 == 0xAC
    assert second == f"5d4e 6f70  {(0x5D4E6F70 + 2) % 251:02x}"
    assert len(groups.split(SECRET)) == 8
    assert len(groups.split(SECRET * 2)) == 16


@given(secrets)
def test_what_is_split_is_joined_again(secret):
    assert groups.join("\n".join(groups.split(secret)), len(secret)) == secret


@given(secrets, st.data())
def test_numbers_blanks_and_capitals_change_nothing(secret, data):
    blanks = st.sampled_from(("", " ", "  ", "\t", "\n"))
    text = ""
    for number, group in enumerate(groups.split(secret), 1):
        label = data.draw(st.sampled_from(("", f"\n{number}: ", f" {number:>2}:")))
        text += label + "".join(sign + data.draw(blanks) for sign in group)

    assert groups.join(data.draw(st.sampled_from((text, text.upper()))), len(secret)) == secret


@given(secrets, st.data())
def test_any_one_wrong_digit_is_found_and_its_group_named(secret, data):
    wrong = "".join(typed(secret))
    place = data.draw(st.integers(0, len(wrong) - 1))
    other = data.draw(st.sampled_from([digit for digit in DIGITS if digit != wrong[place]]))
    wrong = wrong[:place] + other + wrong[place + 1 :]

    assert refusal(wrong, secret).startswith(f"group {place // 10 + 1} is mistyped")


@given(secrets, st.data())
def test_any_two_digits_of_a_group_that_changed_places_are_found(secret, data):
    found = typed(secret)
    number = data.draw(st.integers(0, len(found) - 1))
    signs = list(found[number])
    one, other = data.draw(st.lists(st.integers(0, 7), min_size=2, max_size=2, unique=True))
    signs[one], signs[other] = signs[other], signs[one]
    wrong = "".join([*found[:number], *signs, *found[number + 1 :]])

    if signs[one] == signs[other]:
        assert groups.join(wrong, len(secret)) == secret
    else:
        assert refusal(wrong, secret).startswith(f"group {number + 1} is mistyped")


@given(secrets, st.data())
def test_any_two_groups_that_changed_places_are_found(secret, data):
    found = typed(secret)
    places = st.integers(0, len(found) - 1)
    one, other = sorted(data.draw(st.lists(places, min_size=2, max_size=2, unique=True)))
    found[one], found[other] = found[other], found[one]

    assert refusal(" ".join(found), secret).startswith(f"group {one + 1} is mistyped")


@given(secrets, st.data())
def test_a_group_that_was_left_out_is_found(secret, data):
    found = typed(secret)
    number = data.draw(st.integers(1, len(found)))
    del found[number - 1]

    word = "missing" if number == len(found) + 1 else "mistyped"
    assert f"group {number} is {word}" in refusal(" ".join(found), secret)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:-1], "group 8 is cut short"),
        (lambda text: text[:-10], "group 8 is missing"),
        (lambda text: text + "0", "group 8 is the last one, but more follows"),
        (lambda text: text[:25] + "o" + text[26:], "group 3 holds something that is no digit"),
        (lambda text: text[:25] + "é" + text[26:], "group 3 holds something that is no digit"),
        (lambda _: "", "group 1 is missing"),
    ],
)
def test_what_else_is_wrong_is_told_without_a_digit_of_it(change, sentence):
    told = refusal(change("".join(typed(SECRET))), SECRET)

    assert told.startswith(sentence)
    assert "3f9a" not in told


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("3f9a 2b1c ac", True),
        ("1: 3F9A2B1CAC\n", True),
        ("3f9a 2b1c", False),
        ("3f9a 2b1c ad", False),
        ("3f9a 2b1d ac", False),
        ("", False),
        ("é\ud800", False),
    ],
)
def test_a_group_is_compared_as_a_person_types_it(text, is_right):
    assert groups.is_group(text, groups.split(SECRET)[0]) is is_right
