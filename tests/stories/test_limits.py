"""Runs that take too long are ended, whatever they wait for, and leave what they have."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.stories.dead_mount import dead
from tests.stories.hasty import hurry
from tests.stories.hoster import NEVER, Hoster, wait_until_read
from tests.stories.test_schedule import age
from tests.stories.world import stretch
from unstoppable.runner import lane

ONE_HOUR = {"UNSTOPPABLE_MAX_RUNTIME": "1h"}


def test_a_run_that_takes_longer_than_it_may_keeps_what_it_has_and_has_failed(well):
    hurry(well, hour=0.5)
    well.extra |= ONE_HOUR
    large = stretch(well.write("large.bin"), gibibytes=64)

    told = well.run("backup")
    failed = well.last_run()
    large.unlink()
    well.done("backup")

    assert told.returncode == 1
    assert (failed["outcome"], failed["exit_code"]) == ("failed", 1)
    assert failed["message"].startswith(
        "stopped default/default: it took longer than max_runtime allows, 0 s; incomplete snapshot "
    )
    assert f"error: {failed['message']}\n" in told.stderr
    assert failed["snapshot"][:8] in failed["message"]
    assert failed["counts"] is not None
    assert [snapshot["tags"] for snapshot in well.snapshots()] == [[], ["incomplete"], []]


def test_until_there_is_a_complete_snapshot_a_run_may_take_any_time(alice):
    hurry(alice, hour=0.01, look_seconds=0.01)
    alice.extra |= ONE_HOUR
    stretch(alice.write("large.bin"), gibibytes=1)

    alice.done("init", str(alice.data))

    assert alice.last_run()["outcome"] == "succeeded"


def test_one_that_does_not_end_is_killed_and_recorded(well):
    hurry(well, hour=0.5, grace=0.5)
    well.extra |= ONE_HOUR

    with dead(well.data / "gone"):
        told = well.run("backup")
    failed = well.last_run()

    assert told.returncode == 1
    assert failed["outcome"] == "failed"
    assert failed["message"] == (
        "stopped default/default: it took longer than max_runtime allows, 0 s; "
        "it did not end within 0 s and was killed"
    )
    assert f"error: {failed['message']}\n" in told.stderr
    well.done("runs", "--verify")
    assert not well.asked("status")["is_running"]
    (well.data / "gone").rmdir()
    well.done("backup")


@pytest.fixture
def two(hoster: Hoster) -> Hoster:
    """Two customers; what happens to acme must not touch blue."""
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    return hoster


def tick(hoster: Hoster) -> str:
    """Run what is due; blue succeeds, and acme is recorded as failed with what is returned."""
    told = hoster.machine.run("schedule", "tick")
    assert told.returncode == 1, told.stderr
    assert hoster.runs("blue/www") == [("succeeded", "")]
    [(outcome, message)] = hoster.runs("acme/www")
    assert outcome == "failed"
    assert f"acme/www: error: {message}\n" in told.stderr or message.endswith(
        (" and was killed", " and was ended")
    )
    return message


def test_a_run_that_moves_nothing_is_stopped_and_stops_no_other(two):
    hurry(two.machine, stall=3, grace=0.5)

    with dead(two.source("acme", "www") / "gone"):
        message = tick(two)

    assert message == (
        "stopped acme/www: for 3 s not a byte was read, stored or listed; "
        "it did not end within 0 s and was killed"
    )


def test_a_run_that_hangs_before_it_watches_itself_is_killed_by_who_started_it(two):
    hurry(two.machine, stall=3, grace=0.5)

    with dead(two.source("acme", "www")):
        message = tick(two)

    assert message == (
        "the run of acme/www ended before it began: "
        "its process gave no sign of life for 3 s and was ended"
    )


def test_a_run_that_is_halted_is_killed_and_recorded(two):
    hurry(two.machine, stall=3, grace=0.5)
    large = two.lengthen("acme", gibibytes=64)
    running = two.machine.start("schedule", "tick")
    os.kill(wait_until_read(large), signal.SIGSTOP)

    _, told = running.communicate(timeout=60)

    words = "its process gave no sign of life for 3 s and was ended"
    assert f"acme/www: error: {words}\n" in told
    assert two.runs("acme/www") == [
        ("failed", f"the run of acme/www ended and did not say how: {words}")
    ]
    assert two.runs("blue/www") == [("succeeded", "")]


ENDLESS = """
import os, signal, sys, time

def sign_for_ever(watchdog):
    try:
        if os.fork() == 0:  # who is left behind, and has the lane
            os.setsid()
            time.sleep(600)
    except PermissionError:
        print("acme/www: error: cannot leave anybody behind", file=sys.stderr, flush=True)
    while True:
        watchdog._sign()
        time.sleep(0.05)

if "--confined" in sys.orig_argv:
    watchdog.Watchdog._watch = sign_for_ever
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
"""


def runs_of(hoster: Hoster) -> list[str]:
    """Return the processes of runs on a machine, their clerks and whoever they left behind."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            argv = (process / "cmdline").read_text().split("\0")
            if "--confined" in argv and str(hoster.machine.env_file) in argv:
                found.append(process.name)
    return found


def test_a_run_that_sees_to_its_end_no_more_is_killed_by_who_started_it(two):
    for customer in ("acme", "blue"):
        two.machine.done("backup", f"{customer}/www")
    hurry(two.machine, hour=1, grace=0.5)
    two.machine.extra |= ONE_HOUR
    patch = two.machine.root / "hasty/sitecustomize.py"
    patch.write_text(patch.read_text() + ENDLESS)
    file = two.customers / "acme.toml"
    file.write_text(file.read_text().replace(NEVER, "* * * * *"))
    two.lengthen("acme", gibibytes=64)
    age(two.machine, minutes=2)

    told = two.machine.run("schedule", "tick", "acme/www")
    at_once = time.monotonic()
    while time.monotonic() < at_once + 1 and runs_of(two):
        time.sleep(0.05)
    left = runs_of(two)
    patch.unlink()
    free = two.machine.run("backup", "acme/www", "--dry-run")

    words = "its process went on for longer than max_runtime allows, 1 s, and was ended"
    assert told.returncode == 1
    assert f"acme/www: error: {words}\n" in told.stderr
    assert "cannot leave anybody behind" in told.stderr
    assert left == []
    failed = f"the run of acme/www ended and did not say how: {words}"
    assert ("failed", failed) in two.runs("acme/www"), "beside a slot that came meanwhile"
    assert free.returncode == 0, free.stderr
    assert lane.holder(two.machine.hot / "acme/lane.lock") is None


def test_a_secret_on_a_mount_that_is_gone_fails_its_run_alone(two):
    hurry(two.machine)
    file = two.customers / "acme.toml"
    gone = two.machine.root / "gone"
    key = two.machine.root / "keys/acme-www"
    file.write_text(file.read_text().replace(str(key), f"{gone}/acme.key"))

    with dead(gone):
        message = tick(two)

    assert f"cannot read {gone}/acme.key for resources.www.repository_key in acme.toml: " in message
    assert "whoever reads it hangs, for 1 s by now" in message


def test_certificates_that_are_a_pipe_stop_their_customer_alone(two):
    pipe = two.machine.root / "pipe"
    os.mkfifo(pipe, 0o600)
    file = two.customers / "acme.toml"
    bucket = f'cold = "s3"\nca_file = "{pipe}"\nendpoint = "https://127.0.0.1:1"\n'
    file.write_text(bucket + file.read_text())

    told = two.machine.run("schedule", "tick")
    os.mkfifo(two.customers / "cyan.toml", 0o600)
    again = two.machine.run("schedule", "tick")

    assert told.returncode == 2
    assert f"ca_file in {file} line 2 cannot be used: {pipe}: it is a pipe, not a file" in (
        told.stderr
    )
    assert two.runs("blue/www") == [("succeeded", "")]
    assert "cyan.toml cannot be read: it is a pipe, not a file" in again.stderr


def test_certificates_on_a_mount_that_is_gone_stop_their_customer_alone(two):
    hurry(two.machine)
    gone = two.machine.root / "gone"
    file = two.customers / "acme.toml"
    bucket = f'cold = "s3"\nca_file = "{gone}/ca.pem"\nendpoint = "https://127.0.0.1:1"\n'
    file.write_text(bucket + file.read_text())

    with dead(gone):
        told = two.machine.run("schedule", "tick")

    assert told.returncode == 2
    assert "whoever reads it hangs, for 1 s by now" in told.stderr
    assert two.runs("blue/www") == [("succeeded", "")]
