"""Servers that do what none should: a test for each row of the table of faults in docs/sources.md.

Each fault is told as the row says, everything else is stored, and nothing of the run is left.
"""

import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import unstoppable_engine as engine

from tests.servers.scripted import Content, Talk, Twist, as_usual
from tests.stories.faulty import (
    CONTENTS,
    HIT,
    When,
    a_file,
    all_of,
    dead_port,
    drop,
    give,
    inject,
    later,
    list_part,
    listed,
    pasv,
    plain_data,
    refuse_session,
    run,
    say,
    stall,
    when,
)
from tests.stories.rows import rows

ROWS = rows("fault")
FILE, FOLDER = b"hit/file", b"hit"


def reading(**how: Any) -> Callable[[], When]:
    """Return what holds where the file is read."""
    return lambda: When("RETR", "/hit/file", **how)


def listing(**how: Any) -> Callable[[], When]:
    """Return what holds where its folder is listed."""
    return lambda: When("MLSD", "/hit", **how)


def asked(command: str, **how: Any) -> Callable[[], When]:
    return lambda: When(command, **how)


@dataclass(frozen=True)
class Case:
    """A fault, by the row that tells of it."""

    row: str
    condition: Callable[[], When]
    act: Callable[[Talk], object]
    told: str = ""
    """Words that say what happened."""
    path: bytes = b""
    """Whose issue it is."""
    is_stored: bool = False
    """Whether it is stored all the same."""
    idle_seconds: int = 1
    patience_seconds: int = 5
    also: Twist = as_usual
    listings: Mapping[str, Content] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)
    contents: Mapping[bytes, bytes] = field(default_factory=dict)
    """What is stored otherwise."""


REFUSED = "encryption that is refused, of commands or of files"
ONCE = "a transfer that is cut, reset, refused or hangs once"
EACH = "a transfer that breaks off each time"
PORT_ONCE = "a data connection that fails once: 425, 522, a dead port"
PORT_EACH = "a data connection that fails each time"
HALF = "half a file that is called complete each time"
STARTS = "a server that is done before it begins: no reply 150"
FULL = "a server that is full when a run begins: 421"
AWAY = "a server that cannot be reached, or ends the connection, when a run begins"
TOO_MANY = "more connections than the server bears: 421 or 530, once one was let in"
IDLE = "a connection that the server ended while nothing was asked"
CUT = "a listing that is cut off, each time"
STRANGE = "a listing that is not understood, or longer than 256 MiB"
ROOT = "the source's own folder, where it cannot be listed"
LIMITS = "more files and folders than `max_files`, more bytes than `max_bytes`"
DATA = "data that is not encrypted"
HANGS = "a server that hangs whatever it is asked"
GARBLED = "such replies three times in a row"


def told_by(cell: str) -> tuple[int, set[str]]:
    """Return the exit code and the kinds of issues that a row names."""
    return int(cell.partition(",")[0]), set(re.findall("`([a-z-]+)`", cell))


CASES = [
    Case("a wrong password, an unknown user", asked("PASS"), say("530 no"), "says \"530 no\""),
    Case(REFUSED, asked("AUTH"), say("502 what is TLS"), "have the connection encrypted"),
    Case(REFUSED, asked("PROT"), say("536 in the clear"), "have files encrypted"),
    Case("words between the consent to TLS and TLS", asked("AUTH"), inject, "somebody sent words"),
    Case(DATA, reading(), later(plain_data), "was not encrypted", idle_seconds=20),
    Case(
        "a reply that is not encrypted", reading(times=2), say("500 OOPS: child died", plain=True)
    ),
    Case(GARBLED, reading(), later(say("500 OOPS", plain=True)), "not encrypted", idle_seconds=20),
    Case(FULL, asked("GREETING", times=2), say("421 too many of you")),
    Case(FULL, asked("PASS", times=1), say("421 too many of you")),
    Case(AWAY, asked("GREETING", times=2), drop),
    Case(AWAY, asked("CWD", times=1), drop),
    Case("a server that ends the connection each time", asked("GREETING"), drop, "server ended"),
    Case(
        "a server that stays full",
        asked("GREETING"),
        say("421 too many of you"),
        'says "421 too many of you"; for more than 2 seconds',
        patience_seconds=2,
    ),
    Case(TOO_MANY, asked("GREETING", after=1), say("421 too many of you")),
    Case(TOO_MANY, asked("PASS", after=1), say("421 too many of you")),
    Case(TOO_MANY, asked("PASS", after=1), say("530 too many of you")),
    Case(IDLE, reading(times=1), say("421 you said nothing")),
    Case(IDLE, reading(times=1), drop),
    Case(IDLE, asked("CWD", times=2, after=2), drop),
    Case(
        "a server that knows no EPSV, and names an address of its own for PASV",
        asked("PASV"),
        pasv,
        also=when(When("EPSV"), say("502 what is EPSV")),
    ),
    Case(PORT_ONCE, asked("EPSV", times=1, after=2), say("425 address in use")),
    Case(PORT_ONCE, asked("EPSV", times=1, after=2), dead_port),
    Case(PORT_ONCE, reading(times=1), refuse_session),
    Case(PORT_EACH, reading(), refuse_session, "session reuse required", FILE),
    Case(ONCE, reading(times=1), give(0.5, "cut", "426 cut")),
    Case(ONCE, reading(times=2), give(0.5, "cut", "226 all is well")),
    Case(ONCE, reading(times=1), give(0.5, "reset", "226 all is well")),
    Case(ONCE, reading(times=1), give(0.5, "stall")),
    Case(ONCE, reading(times=2), give(0.5, reply="451 disk")),
    Case(ONCE, reading(times=2), give(1, reply="551 disk")),
    Case(ONCE, reading(times=2), say("450 busy")),
    Case(ONCE, reading(times=1), give(1, begins="")),
    Case(ONCE, reading(times=1), stall),
    Case(ONCE, listing(times=2), list_part(0.5, "cut")),
    Case(ONCE, listing(times=1), list_part(0.5, "reset")),
    Case(ONCE, listing(times=1), stall),
    Case(EACH, reading(), give(0.5, "cut", "426 cut"), "\"426 cut\"", FILE),
    Case(EACH, reading(), give(0.5, "reset", "426 reset"), "\"426 reset\"", FILE),
    Case(EACH, reading(), give(1, reply="451 disk"), "\"451 disk\"", FILE),
    Case(EACH, reading(), say("450 busy"), "\"450 busy\"", FILE),
    Case(EACH, reading(), drop, path=FILE),
    Case(HALF, reading(), give(0.5), "300000 bytes were listed, 150000 came", FILE),
    Case(HALF, reading(), give(0.5, "cut"), "300000 bytes were listed, 150000 came", FILE),
    Case(
        "a file that is whole, and whose encryption was not ended",
        reading(),
        give(1, "cut", "226 all is well"),
    ),
    Case(STARTS, reading(), say("226 that was all"), path=FILE),
    Case(
        "a file that grew since it was listed",
        lambda: When("MLSD", "/hit"),
        lambda talk: talk.say("150 it comes").say(
            talk.give(listed(a_file("file", 100_000))())
        ),
        "it grew; its first 100000 bytes are stored",
        FILE,
        is_stored=True,
        contents={FILE: HIT[:100_000]},
    ),
    Case(
        "a file that is longer than the server says, then and now",
        asked("SIZE"),
        say("213 300000"),
        "300000 bytes were listed, more came",
        FILE,
        files={"/hit/file": lambda: iter([HIT, b"more"])},
    ),
    Case(
        "a file that was deleted since it was listed",
        listing(after=1),
        list_part(0),
        "says \"550 gone\"",
        FILE,
        also=lambda talk, command, argument: (
            command in {"RETR", "SIZE"} and argument == "/hit/file" and talk.say("550 gone")
        ),
    ),
    Case("a file that may not be read", reading(), say("550 no"), "says \"550 no\"", FILE),
    Case("a file that hangs: a pipe, say", reading(), stall, "said nothing for 1 seconds", FILE),
    Case(CUT, listing(), list_part(0.5, "cut"), "its listing was cut off", FOLDER),
    Case(CUT, listing(), list_part(0.95), "its listing was cut off", FOLDER),
    Case(CUT, listing(), list_part(0.5, "reset"), "the server broke the connection", FOLDER),
    Case(STRANGE, asked("NOTHING"), stall, "cannot be understood", FOLDER,
         listings={"/hit": listed("type=file;size=many; file")}),
    Case("a listing that hangs", listing(), stall, "said nothing for 1 seconds", FOLDER),
    Case(HANGS, asked("RETR", after=1), later(stall), "more than 1 seconds", patience_seconds=1),
    Case(ROOT, lambda: When("MLSD", "/"), say("550 no"), "says \"550 no\""),
    Case(ROOT, asked("EPSV"), dead_port, "cannot open a data connection"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.row)
def test_a_fault_ends_as_its_row_says(faulty, case):
    twist = all_of(when(case.condition(), case.act), case.also)
    site = faulty.site(twist, case.listings, case.files)

    ended = run(
        site,
        idle_seconds=case.idle_seconds,
        patience_seconds=case.patience_seconds,
    )

    code, kinds = told_by(ROWS[case.row])
    assert (ended.as_told(), case.told in ended.told) == ((code, kinds), True), ended.told
    if code == 1:
        assert set(ended.issues) <= {b""}
        assert ended.contents.items() <= CONTENTS.items()
        return
    hit = {path for path in CONTENTS if case.path and path.startswith(case.path)}
    lacking = set() if case.is_stored else hit
    assert set(ended.issues) == ({case.path} if kinds else set())
    assert ended.contents == {
        path: case.contents.get(path, content)
        for path, content in CONTENTS.items()
        if path not in lacking
    }


CERTIFICATE = "a certificate that is expired, for another name, or signed by nobody who is trusted"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"made": "10 days ago"}, "certificate expired"),
        ({"names": "DNS:ftp.bob.example"}, "not valid for name"),
        ({"is_signed": False}, "invalid peer certificate"),
    ],
)
def test_a_certificate_that_is_not_believed_ends_the_run(faulty, shown, told):
    site = faulty.site(certificate=faulty.script.certificate(**shown))

    ended = run(site)

    assert ended.as_told() == told_by(ROWS[CERTIFICATE])
    assert told in ended.told
    assert all("USER" not in talk.heard for talk in site.server.talks)


def test_data_comes_from_whom_the_control_connection_goes_to(faulty):
    row = "data under another certificate"
    authority = faulty.script.certificate()
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.load_cert_chain(authority.chain, authority.key)
    reading = When("RETR", "/hit/file")

    def act(talk: Talk) -> None:
        talk.say("150 it comes").say(talk.give(iter([HIT]), tls=other))

    site = faulty.site(when(reading, later(act)))
    both = site.server.ca_file.read_bytes() + authority.authority.read_bytes()
    ended = run(site, idle_seconds=20, authorities=both)

    assert ended.as_told() == told_by(ROWS[row]), ended.told
    assert "showed another certificate" in ended.told
    assert ended.contents.items() < CONTENTS.items()
    assert ended.contents


def test_a_server_that_is_away_for_a_while_is_waited_for(faulty):
    row = "a server that went away for a while"

    def away(talk: Talk) -> None:
        talk.server.leave()
        threading.Timer(2, talk.server.come).start()

    site = faulty.site(when(When("RETR", "/hit/file", times=1), away))
    ended = run(site)

    assert ended.as_told() == told_by(ROWS[row])
    assert ended.contents == CONTENTS


def test_a_server_that_is_away_for_good_ends_the_run_and_what_was_read_is_kept(faulty):
    row = "a server that went away for good"
    site = faulty.site(when(When("RETR", "/hit/file"), later(lambda talk: talk.server.leave())))
    ended = run(site, idle_seconds=20, patience_seconds=2)

    assert ended.as_told() == told_by(ROWS[row])
    assert "cannot connect to" in ended.told
    assert "for more than 2 seconds" in ended.told
    assert ended.contents.items() < CONTENTS.items()
    assert ended.contents


def test_a_file_that_is_another_one_at_the_second_try_is_not_stored(faulty):
    row = "a file that is another one at the second try"
    cut = when(When("RETR", "/hit/file", times=1), give(0.5, "cut", "426 cut"))
    contents = iter([HIT[::-1]] * 3)
    other = when(
        When("RETR", "/hit/file"),
        lambda talk: talk.say("150 it comes").say(talk.give(iter([next(contents)]))),
    )

    ended = run(faulty.site(all_of(cut, other)))

    assert ended.as_told() == told_by(ROWS[row])
    assert "it changed while it was read" in ended.told
    assert ended.contents == {path: CONTENTS[path] for path in (b"a/well", b"z/well")}


@pytest.mark.parametrize(
    ("limits", "stored"),
    [
        # a, a/well, hit, hit/file; z is one too many.
        ({"max_files": 4}, {b"a/well", b"hit/file"}),
        ({"max_bytes": len(HIT) + 4}, {b"a/well", b"hit/file"}),
        ({"max_bytes": 4}, {b"a/well"}),
    ],
)
def test_what_is_beyond_a_limit_makes_the_snapshot_incomplete(faulty, limits, stored):
    site = faulty.site()

    ended = run(site, **limits)

    assert ended.as_told() == told_by(ROWS[LIMITS])
    ((name, value),) = limits.items()
    assert f"than {name}={value} allows: raise the limit, or exclude" in ended.told
    assert set(ended.contents) == stored


def test_a_source_within_its_limits_is_complete(faulty):
    ended = run(faulty.site(), max_files=6, max_bytes=len(HIT) + 9, max_seconds=60)

    assert ended.as_told() == (0, set())


def test_a_run_that_takes_too_long_ends(faulty):
    row = "more time than `max_seconds`"
    site = faulty.site(when(When("RETR", "/hit/file"), stall))

    ended = run(site, idle_seconds=30, max_seconds=3)

    assert ended.as_told() == told_by(ROWS[row])
    assert "it took longer than max_seconds=3 allows: the next run goes on" in ended.told
    assert ended.contents.items() < CONTENTS.items()
    assert ended.contents


def test_files_come_byte_for_byte_over_every_connection(faulty):
    site = faulty.site()

    run(site, connections=4)

    for talk in site.server.talks:
        moved = [place for place, heard in enumerate(talk.heard) if heard in {"RETR", "MLSD"}]
        assert not moved or "TYPE" in talk.heard[: moved[0]]


def test_each_row_has_its_test():
    text = Path(__file__).read_text()

    assert [row for row in ROWS if f'"{row}"' not in text] == []


def test_files_that_nobody_takes_yet_do_not_keep_a_folder_from_being_listed(faulty):
    large = bytes(10_000_000)
    site = faulty.site(
        listings={"/a": listed(a_file("large", len(large)))},
        files={"/a/large": lambda: iter([large])},
    )

    ended = run(site, connections=1)

    assert ended.as_told() == (0, set())


def test_a_server_that_closes_its_port_before_it_says_no_is_heard(faulty):
    port, file = When("EPSV"), When("RETR")
    refusing = all_of(when(port, dead_port), when(file, say("550 not for you")))
    site = faulty.site(refusing)
    visit = engine.FtpsVisit(site.source())

    with pytest.raises(engine.SourceUnavailable) as raised:
        visit.read("hit/file", 1_000_000)

    assert str(raised.value) == (
        'cannot read hit/file: cannot read it: the server says "550 not for you"'
    )
