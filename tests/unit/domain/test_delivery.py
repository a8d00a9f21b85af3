"""Where others are told of runs, what they answer, and when they are asked again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.delivery import (
    LONGEST_PAUSE_SECONDS,
    MailServer,
    Meaning,
    is_due,
    mailbox,
    meaning,
    pause_seconds,
    ping_address,
    reporter,
    seconds_asked,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (200, Meaning.ACCEPTED),
        (202, Meaning.ACCEPTED),
        (299, Meaning.ACCEPTED),
        (101, Meaning.REFUSED),
        (301, Meaning.REFUSED),
        (307, Meaning.REFUSED),
        (400, Meaning.RECORD_REFUSED),
        (409, Meaning.RECORD_REFUSED),
        (413, Meaning.RECORD_REFUSED),
        (422, Meaning.RECORD_REFUSED),
        (401, Meaning.REFUSED),
        (403, Meaning.REFUSED),
        (404, Meaning.REFUSED),
        (408, Meaning.LATER),
        (425, Meaning.LATER),
        (429, Meaning.LATER),
        (500, Meaning.BROKEN),
        (503, Meaning.BROKEN),
        (999, Meaning.BROKEN),
    ],
)
def test_only_2xx_is_an_acceptance(status, means):
    assert meaning(status) is means


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("Tue, 24 Nov 2026 00:02:00 GMT", 120),
        ("Mon, 23 Nov 2026 00:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 00:02:00", 120),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_a_server_may_say_when_to_come_again(header, seconds):
    assert seconds_asked(header, NOW) == seconds


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e12))
def test_a_pause_grows_is_never_endless_and_is_never_shorter_than_asked(failures, chance, asked):
    pause = pause_seconds(failures, chance=chance, asked=asked)

    assert 5 <= pause <= 6 * 3600 * 1.25
    assert pause >= min(asked or 0, 6 * 3600)
    assert is_due(1000 + pause, 1000 + pause)
    assert not is_due(1000 + pause, 1000)


def test_pauses_without_chance_double_up_to_an_hour():
    pauses = [pause_seconds(failures, chance=0.5) for failures in range(1, 12)]

    assert pauses[:4] == [10, 20, 40, 80]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_a_time_that_lies_days_ahead_is_of_a_clock_that_was_ahead():
    assert is_due(NOW.timestamp() + timedelta(days=3).total_seconds(), NOW.timestamp())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://witness.example/v1/records", "https://witness.example/v1/records"),
        ("https://witness.example:8443", "https://witness.example:8443"),
        ("http://127.0.0.1:8080/v1/records", "http://127.0.0.1:8080/v1/records"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
    ],
)
def test_a_reporter_is_asked_at_the_address_as_it_is_written(text, address):
    assert reporter(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "witness.example",
        "ftp://witness.example/",
        "http://witness.example/",
        "https://",
        "https:///v1/records",
        "https://user:password@witness.example/",
        "https://witness.example/?token=x",
        "https://witness.example/#x",
        "https://witness.example/a b",
        "https://witness.example/\r\nHost: x",
        "https://witness.example/ü",
        "https://[::1",
        "https://witness.example:99999/",
        "https://witness.example/" + "x" * 3000,
    ],
)
def test_what_is_no_address_of_a_reporter_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        reporter(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://hc-ping.com/uuid", "https://hc-ping.com/uuid"),
        ("https://hc-ping.com/uuid/", "https://hc-ping.com/uuid"),
        ("https://hc.example:8000/ping/key/slug", "https://hc.example:8000/ping/key/slug"),
    ],
)
def test_a_ping_url_takes_an_end(text, address):
    assert ping_address(text) == address


def refusal(text):
    """Return what is said of a text that is no ping URL; nothing of one that is."""
    try:
        ping_address(text)
    except ValueError as error:
        return str(error)
    return ""


@given(st.text(max_size=60))
def test_what_is_told_of_a_ping_url_depends_on_no_letter_of_it(text):
    told = {refusal(form) for form in (text, f"https://hc.example/{text}", f"https://{text}")}

    assert told <= {"", refusal("")}


@pytest.mark.parametrize(
    "text",
    [
        "ops",
        "ops@",
        "@example.com",
        "a b@example.com",
        "ops@example.com\r\nBcc: mallory@evil.example",
        "ops@example.com, other@example.com",
        '"ops"@example.com',
        "Ops <ops@example.com>",
        "öps@example.com",
        "ops@exämple.com",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a@example..com",
        "a@example.com.",
        "a@-example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 253,
        "a@example.com\n",
    ],
)
def test_what_is_no_address_of_mail_is_refused(text):
    with pytest.raises(ValueError, match="is not an address such as"):
        mailbox(text)


@pytest.mark.parametrize(
    ("text", "host", "port", "is_tls"),
    [
        ("smtp://mail.example.com", "mail.example.com", 587, False),
        ("smtps://mail.example.com", "mail.example.com", 465, True),
        ("smtp://127.0.0.1:25", "127.0.0.1", 25, False),
        ("smtps://[::1]:4650", "::1", 4650, True),
    ],
)
def test_a_mail_server_has_a_usual_port(text, host, port, is_tls):
    found = MailServer.parse(text)

    assert (found.host, found.port, found.is_tls) == (host, port, is_tls)
    assert MailServer.parse(str(found)) == found


@pytest.mark.parametrize(
    "text", ["mail.example.com", "http://x", "smtp://", "smtp://u:p@x", "smtp://x/y", "smtp://x:0"]
)
def test_what_is_no_mail_server_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        MailServer.parse(text)
