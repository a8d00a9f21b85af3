"""Processes that are no runs: silent ones, and some whose secrets do not come."""

import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from unstoppable.domain.names import ResourceName
from unstoppable.runner.child import Child, Order, Provided
from unstoppable.runner.watchdog import Patience

ACME = ResourceName.parse("acme/www")
QUICK = Patience(
    stall=timedelta(seconds=0.4), grace=timedelta(seconds=0.4), secrets=timedelta(seconds=0.2)
)
CALM = Patience(grace=timedelta(seconds=1))
SAYING = "import sys; print(sys.argv[1:])"
SILENT = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None); time.sleep(60)"
SIGNING = """
import os, sys, time
for _ in range(20):
    os.write(int(sys.argv[sys.argv.index("--signs-fd") + 1]), b".")
    time.sleep(0.05)
"""

ENDLESS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: {on_end})
while True:
    os.write(int(sys.argv[sys.argv.index("--signs-fd") + 1]), b".")
    print("acme/www: error: all is well", file=sys.stderr, flush=True)
    time.sleep(0.05)
"""
LEAVING = """
import os, time
if os.fork() == 0:
    os.setsid()
    print("I stay", flush=True)
    time.sleep(30)
    os._exit(0)
time.sleep(0.5)
print("I went")
"""


def start(program: str, said: list[str], provide=Provided, patience=QUICK) -> Child:
    return Child(
        Order(
            resource=ACME,
            argv=(sys.executable, "-c", program),
            environment={},
            provide=provide,
            tell=said.append,
            say=said.append,
            patience=patience,
        )
    )


def end(child: Child) -> int:
    until = time.monotonic() + 30
    while (code := child.poll()) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return code


def test_one_that_gives_signs_of_life_goes_on():
    child = start(SIGNING, [])

    assert end(child) == 0
    assert child.last_words == ""


def test_one_that_gives_none_is_killed():
    said: list[str] = []
    child = start(SILENT, said)

    assert end(child) == 137
    assert child.last_words == "its process gave no sign of life for 0 s and was ended"
    assert said[0] == f"acme/www: error: {child.last_words}"
    assert said[1].startswith("acme/www: hint: was it halted, or does something hang")


TOO_LONG = "its process went on for longer than max_runtime allows, 0 s, and was ended"


@pytest.mark.parametrize(
    ("on_end", "code"), [("None", 137), ("sys.exit(130)", 1), ("sys.exit(0)", 0)]
)
def test_one_that_takes_longer_than_it_may_and_does_not_end_itself_is_ended(on_end, code):
    said: list[str] = []
    longest = Provided(longest=timedelta(seconds=0.4))
    began = time.monotonic()

    child = start(ENDLESS.format(on_end=on_end), said, lambda: longest)

    assert end(child) == code
    assert time.monotonic() - began > 1.2
    assert child.last_words == TOO_LONG, "whatever it says itself"
    assert said.count(f"acme/www: error: {TOO_LONG}") == 1
    assert "acme/www: hint: a run ends itself before that: does it hang" in "\n".join(said)


def test_one_that_uses_its_grace_to_end_itself_is_left_alone():
    longest, said = Provided(longest=timedelta(seconds=0.4)), list[str]()

    # A second of signs: its time, and more than one grace.
    child = start(SIGNING, said, lambda: longest)

    assert end(child) == 0
    assert (child.last_words, said) == ("", [])


def test_one_that_may_take_longer_goes_on():
    longest = Provided(longest=timedelta(seconds=30))

    child = start(SIGNING, [], lambda: longest)

    assert end(child) == 0
    assert child.last_words == ""


def test_one_whose_secrets_do_not_come_is_told_why():
    ended, said = threading.Event(), list[str]()

    def hang() -> Provided:
        ended.wait(30)
        return Provided()

    child = start(SAYING, said, hang)
    code = end(child)
    ended.set()

    assert code == 0
    assert "'--cannot', 'reading them took longer than 0 s'" in said[0]


@pytest.mark.parametrize("program", [SAYING, SILENT])
def test_nothing_stays_open(program):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    child = start(program, [])
    end(child)
    child.poll()

    assert descriptors() == before


def test_one_that_ended_is_over_whoever_it_left_behind():
    said: list[str] = []
    began = time.monotonic()

    code = end(start(LEAVING, said, patience=CALM))

    assert code == 0
    assert sorted(said) == ["acme/www: I stay", "acme/www: I went"]
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("end_of_it", ["sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_one_that_ended_leaves_nobody_of_its_group_behind(end_of_it):
    said: list[str] = []
    program = f"""
import os, sys, time
process = os.fork()
if process == 0:
    time.sleep(60)
print(process, flush=True)
{end_of_it}
"""
    child = start(program, said, patience=Patience())
    began = time.monotonic()

    assert end(child) in {3, 137}
    left = Path(f"/proc/{said[0].rpartition(' ')[2]}/stat")
    assert not left.exists() or left.read_text().rpartition(") ")[2].startswith("Z")
    assert time.monotonic() - began < 15


def test_the_last_words_of_one_that_ended_are_told_without_a_line_break():
    said: list[str] = []

    end(start("import sys; sys.stderr.write('x' * 200_000 + '\\nerror: no')", said, patience=CALM))

    assert said[-1] == "acme/www: error: no"
    assert sum(line.count("x") for line in said) == 200_000


def test_one_that_ends_just_when_somebody_looks_leaves_no_pipe_open(monkeypatch):
    whole = Child._listen_for_signs

    def until_it_ended(child, *told):
        whole(child, *told)
        while not child.has_ended:
            time.sleep(0.01)

    child = start(SAYING, [], patience=CALM)
    while child.pid is None or child._signs is None:
        time.sleep(0.01)
    monkeypatch.setattr(Child, "_listen_for_signs", until_it_ended)

    end(child)

    assert child._signs is None


@pytest.mark.parametrize("pipe", ["stdout", "stderr"])
def test_one_that_never_stops_talking_fills_no_log(pipe):
    said: list[str] = []

    end(start(f"import sys; sys.{pipe}.write('x\\n' * 5_000_000)", said, patience=CALM))

    assert sum(map(len, said)) < 2 << 20
    assert said[-1] == "acme/www: what it says is too much; the rest is left out"


def test_one_that_was_halted_together_with_its_parent_is_not_silent(monkeypatch):
    child = start("import time; time.sleep(2)", [], patience=CALM)
    while child._signs is None:
        time.sleep(0.01)
    child.poll()
    late, now = time.monotonic() + 3600, time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 3600)
    assert time.monotonic() >= late

    child.poll()

    assert child.last_words == ""
    monkeypatch.undo()
    assert end(child) == 0
