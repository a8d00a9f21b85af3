from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.text import count, duration, is_plain, printable, rate, size


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_288_490_189, "1.2 GiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**7, "1024.0 EiB"),
    ],
)
def test_sizes(size_bytes, shown):
    assert size(size_bytes) == shown
    assert rate(size_bytes) == f"{shown}/s"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
        (4 * 86400 + 3 * 3600, "4 d 03 h"),
    ],
)
def test_durations(seconds, shown):
    assert duration(timedelta(seconds=seconds)) == shown


def test_counts():
    assert (count(0, "file"), count(1, "file"), count(12345, "file")) == (
        "0 files",
        "1 file",
        "12,345 files",
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("grüße.txt", "grüße.txt"),
        (b"gr\xc3\xbc\xc3\x9fe", "grüße"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("a\nerror: all is lost", "a\\x0aerror: all is lost"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202e", "\\u202e"),
        ("a\\b", "a\\\\b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_names_cannot_command_a_terminal(name, shown):
    assert printable(name) == shown


@given(one=st.binary(), other=st.binary())
def test_two_names_are_shown_alike_only_if_they_are(one, other):
    assert printable(one).isprintable()
    assert (printable(one) == printable(other)) == (one == other)


def test_plain_text_may_hold_layout_but_nothing_a_terminal_obeys():
    assert is_plain("dear bob\r\n\t— alice\n")
    for text in ("\x1b[2J", "\x00", "\x9b", "\udcff", "\u202e"):
        assert not is_plain(text)
