"""Files of customers are read in little time, whoever wrote them."""

import time
from contextlib import suppress

import pytest

from unstoppable.domain.toml import LARGEST_BYTES, MOST_DOTS, lines_of, parse

SECONDS = 2.0
"""Twice of what a slow machine needs."""
WORST = {
    "one dotted key": "a" + ".a" * (LARGEST_BYTES // 2 - 3) + "=1",
    "dotted keys": "".join(
        f"k{i}" + ".a" * MOST_DOTS + "=1\n" for i in range(LARGEST_BYTES // (2 * MOST_DOTS + 8))
    ),
    "a dotted header": "[a" + ".a" * (LARGEST_BYTES // 2 - 3) + "]",
    "inline dots": "a={" + "b." * (LARGEST_BYTES // 2 - 5) + "b=1}",
    "headers": "".join(f"[a{i}]\n" for i in range(LARGEST_BYTES // 9)),
    "tables in a list": "[[a]]\n" * (LARGEST_BYTES // 6),
    "lists in lists": "a=" + "[" * (LARGEST_BYTES - 2),
    "comments": "#\n" * (LARGEST_BYTES // 2),
    "digits": "a=" + "9" * (LARGEST_BYTES - 2),
    "hexadecimal digits": "a=0x" + "f" * (LARGEST_BYTES - 4),
}


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_file_within_the_limit_takes_little_time(kind):
    text = WORST[kind]
    assert LARGEST_BYTES * 0.9 < len(text) <= LARGEST_BYTES
    before = time.process_time()

    with suppress(ValueError):
        parse(text)

    assert time.process_time() - before < SECONDS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#" * (LARGEST_BYTES + 1), "it is larger than 256 KiB"),
        ("#" + "\u00e4" * (LARGEST_BYTES // 2), "it is larger than 256 KiB"),
        ("x = 1\na" + ".a" * 201 + "=1", "line 2 has more than 200 dots: write it as several"),
        ("a=" + "[" * 100_000, "it is nested too deeply"),
        ("x", "Expected '='"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text, told):
    with pytest.raises(ValueError, match=told):
        parse(text)


def test_a_list_of_patterns_may_stand_on_one_line():
    patterns = [f"*.{i}" for i in range(MOST_DOTS)]

    assert parse(f"exclude = {patterns}") == {"exclude": patterns}


def test_the_line_of_a_table_is_found_however_its_header_is_written():
    text = (
        """[ resources . "a b" ]\n\t[resources.'c']# c\n[[more]]\n[a\u00a0b]\n  [x]]\n[ ]\n[y\n"""
    )

    assert lines_of(text) == {
        ("resources", "a b"): 1,
        ("resources", "c"): 2,
        ("a\u00a0b",): 4,
        ("x",): 5,
    }
