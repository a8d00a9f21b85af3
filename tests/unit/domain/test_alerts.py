"""When people are told by mail, and in which words."""

from datetime import UTC, datetime, timedelta

import pytest

from unstoppable.domain.alerts import Alert, Known, compose, news, seen, told

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class People:
    """Resources, what is known of them, and the mails that were written."""

    def __init__(self, recipients) -> None:
        self.recipients, self.now = recipients, NOW
        self.known: dict[str, Known] = {}
        self.mails: list[Alert] = []

    def look(self, passed=timedelta(0), *, is_last_look=False, **needs):
        """Look at what resources need after a while; returns the subjects of the mails."""
        self.now += passed
        for name, need in needs.items():
            self.known[name] = seen(self.known.get(name), need, self.now)
        parts = news(self.known, self.now, is_last_look=is_last_look)
        mails = compose(self.known, self.recipients, parts, self.now, machine="backup1")
        self.known |= told(self.known, [name for part in parts for name in part], self.now)
        self.mails += mails
        return [(mail.recipient, mail.subject) for mail in mails]


@pytest.fixture
def people():
    return People({"ops@host.example": {"www", "mail", "db"}})


def subjects(mails):
    return [subject for _, subject in mails]


def test_one_mail_tells_that_it_begins_and_one_that_it_is_over(people):
    assert people.look(www=None, mail=None, db=None) == []
    assert people.look(HOUR, www="the last run failed: disk full") == []
    begun = people.look(MINUTE)
    still = [people.look(HOUR) for _ in range(20)]
    people.look(HOUR, www=None)
    over = people.look(MINUTE)
    quiet = [people.look(HOUR) for _ in range(50)]

    assert subjects(begun) == ["backups: www needs you"]
    assert "www for 1 min 00 s: the last run failed: disk full" in people.mails[0].body
    assert still == [[]] * 20
    assert subjects(over) == ["backups: www is in order again"]
    assert quiet == [[]] * 50


def test_much_at_once_is_one_mail(people):
    people.look(www=None, mail=None, db=None)
    people.look(HOUR, www="failed")
    people.look(MINUTE / 2, mail="failed")

    assert subjects(people.look(MINUTE / 2)) == ["backups: mail, www need you"]


def test_what_follows_soon_waits_so_that_there_is_no_mail_each_minute(people):
    people.look(www=None, mail=None, db=None)
    people.look(HOUR, www="failed")
    people.look(MINUTE)
    people.look(MINUTE, mail="failed")

    waiting = [people.look(MINUTE) for _ in range(8)]
    assert waiting == [[]] * 8
    assert subjects(people.look(MINUTE)) == ["backups: mail needs you"]
    assert "Still need you (1):\n  www for 11 min" in people.mails[-1].body


def test_a_failure_of_all_is_told_as_such(people):
    people.look(www=None, mail=None, db=None)
    people.look(HOUR, www="away", mail="away", db="away")

    assert subjects(people.look(MINUTE)) == ["backups: ALL 3 resources need you"]


def test_who_still_needs_somebody_is_told_once_a_day(people):
    people.look(www=None, mail=None, db=None)
    people.look(HOUR, www="failed", mail="failed")
    people.look(MINUTE)

    told_of = [people.look(HOUR) for _ in range(72)]

    assert [subjects(mails) for mails in told_of if mails] == [
        ["backups: mail, www still need you"]
    ] * 3


def test_what_was_over_before_anybody_was_told_is_no_news(people):
    people.look(www=None)
    people.look(HOUR, www="failed")
    people.look(MINUTE / 2, www=None)

    assert people.look(HOUR) == []


def test_another_reason_is_no_other_mail(people):
    people.look(www=None)
    people.look(HOUR, www="failed: a")
    people.look(MINUTE)

    assert people.look(HOUR, www="failed: b") == []


def test_a_process_that_ends_does_not_wait(people):
    people.look(www=None)

    assert subjects(people.look(HOUR, is_last_look=True, www="failed")) == [
        "backups: www needs you"
    ]


def test_each_is_told_of_his_own_resources_alone():
    people = People({"ops@host.example": {"a/www", "b/www"}, "it@b.example": {"b/www"}})
    for name in ("a/www", "b/www"):
        people.known[name] = seen(None, None, NOW)
    people.look(HOUR, **{"a/www": "cannot read /srv/a"})
    first = people.look(MINUTE)
    people.look(HOUR, **{"b/www": "cannot read /srv/b"})
    second = people.look(MINUTE)

    assert first == [("ops@host.example", "backups: a/www needs you")]
    assert second == [
        ("it@b.example", "backups: b/www needs you"),
        ("ops@host.example", "backups: ALL 2 resources need you"),
    ]
    [of_b] = [mail for mail in people.mails if mail.recipient == "it@b.example"]
    assert "a/www" not in of_b.body + of_b.subject
    assert "/srv/a" not in of_b.body


def test_a_clock_that_was_put_back_silences_nobody_for_long(people):
    people.look(www=None, mail=None)
    people.look(HOUR, www="failed")
    people.look(MINUTE)
    people.now = NOW - timedelta(days=400)

    reminded = people.look()
    people.look(MINUTE, mail="failed")
    begun = people.look(11 * MINUTE)

    assert subjects(reminded) == ["backups: www still needs you"]
    assert subjects(begun) == ["backups: mail needs you"]


def test_what_a_name_or_message_holds_breaks_no_line():
    people = People({"ops@host.example": {"www"}})
    people.look(www=None)
    people.look(HOUR, www="x\r\nBcc: mallory@evil.example\x1b[31m" + "y" * 2000)
    people.look(MINUTE)

    [mail] = people.mails
    assert "\r" not in mail.body + mail.subject
    assert "\x1b" not in mail.body
    assert "\nBcc" not in mail.body
    assert max(map(len, mail.body.splitlines())) < 520


def test_a_long_list_is_cut_and_counted():
    names = {f"c{number}": None for number in range(250)}
    people = People({"ops@host.example": set(names)})
    people.look(**names)
    people.look(HOUR, **dict.fromkeys(names, "failed"))
    people.look(MINUTE)

    assert "Begin to need you (250):" in people.mails[0].body
    assert people.mails[0].body.count("\n  c") == 100
    assert "and 150 others" in people.mails[0].body


def test_the_moment_a_need_began_stays_whatever_the_reason():
    first = seen(Known(need=None, since=NOW), "a", NOW + HOUR)
    second = seen(first, "b", NOW + 2 * HOUR)

    assert (second.need, second.since) == ("b", NOW + HOUR)
