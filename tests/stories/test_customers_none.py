"""An installation of many customers with nobody in it: before the first one came."""

import signal
import time

import pytest

from tests.stories.hoster import Hoster
from tests.stories.world import DEADLINE_SECONDS

NEVER = "0 0 29 2 *"


@pytest.fixture
def left(hoster: Hoster) -> Hoster:
    """A machine whose last customer was removed."""
    hoster.add("acme", www=NEVER)
    hoster.machine.done("customer", "remove", "acme")
    return hoster


def test_the_last_customer_may_leave_and_the_schedule_goes_on(hoster):
    hoster.add("acme", www=NEVER)

    removed = hoster.machine.run("customer", "remove", "acme")
    tick = hoster.machine.run("schedule", "tick")
    rehearsed = hoster.machine.run("schedule", "tick", "--dry-run")

    assert "note: nobody is left to back up: `unstoppable schedule remove`" in removed.stderr
    assert (tick.returncode, tick.stdout) == (0, "")
    assert tick.stderr == f"note: no customer in {hoster.customers}: nothing is backed up\n"
    assert rehearsed.returncode == 0
    assert "nothing is due" in rehearsed.stdout


@pytest.mark.parametrize(
    "command", [("status",), ("config", "check"), ("schedule", "show"), ("secrets", "check")]
)
def test_what_tells_of_all_says_that_there_is_nobody(left, command):
    told = left.machine.run(*command)
    document = left.machine.asked(*command)

    assert told.returncode == 0, told.stderr
    assert f"no customer in {left.customers}: nothing is backed up\n" in told.stdout
    assert (document if isinstance(document, list) else document["resources"]) == []


@pytest.mark.parametrize("command", [("backup",), ("backup", "acme/www"), ("schedule", "install")])
def test_what_needs_somebody_is_refused_with_the_way_out(left, command):
    told = left.machine.run(*command)

    assert told.returncode == 2
    assert f"error: there is no customer in {left.customers}\n" in told.stderr
    assert "hint: `unstoppable customer add NAME --resource NAME=DIR` makes one" in told.stderr


def test_a_mistake_in_the_settings_is_told_though_nobody_is_there(left):
    left.machine.env_file.write_text("UNSTOPPABLE_HOTT=/x\n")

    told = [left.machine.run(*words) for words in (("schedule", "tick"), ("config", "check"))]

    for one in told:
        assert one.returncode == 2
        assert "unknown setting UNSTOPPABLE_HOTT" in one.stderr


def test_a_daemon_waits_for_the_first_customer(left):
    daemon = left.machine.start("daemon")
    said = daemon.stderr.readline()

    left.add("blue", www=NEVER)
    daemon.send_signal(signal.SIGHUP)
    until = time.monotonic() + DEADLINE_SECONDS
    while left.runs("blue/www") != [("succeeded", "")] and time.monotonic() < until:
        time.sleep(0.2)
    daemon.terminate()
    daemon.communicate(timeout=60)

    assert said == f"note: no customer in {left.customers}: nothing is backed up\n"
    assert daemon.returncode == 0
    assert left.runs("blue/www") == [("succeeded", "")]


def test_the_schedule_can_be_removed_when_nobody_is_left(left):
    told = left.machine.run("schedule", "remove", "--dry-run")

    assert told.returncode == 0, told.stderr


def test_one_directory_may_be_set_up_beside_an_empty_folder_of_customers(alice):
    (alice.env_file.parent / "customers").mkdir(parents=True)

    alice.done("init", str(alice.data))

    assert "resource     default/default" in alice.done("status")


def test_what_is_said_of_one_resource_needs_no_customer(alice):
    alice.done("init", str(alice.data))
    (alice.env_file.parent / "customers").mkdir()
    alice.env_file.write_text(f"UNSTOPPABLE_KEY={alice.key()}\n")

    assert (alice.restored() / "letters/bob.txt").read_text() == "dear bob\n"


def test_a_folder_of_customers_that_cannot_be_read_is_not_an_empty_one(nobody):
    nobody.env_file.write_text("")
    folder = nobody.env_file.parent / "customers"
    folder.mkdir(mode=0)

    for words in (("schedule", "tick"), ("status",), ("backup",)):
        told = nobody.run(*words)
        assert told.returncode == 2, told.stdout
        assert f"the folder of customers {folder} cannot be read: Permission denied" in told.stderr


def test_init_sets_up_one_directory_and_no_customer(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)

    told = [hoster.machine.run("init", *more) for more in ((), (str(hoster.machine.data),))]

    for one in told:
        assert one.returncode == 2
        assert f"error: init sets up one directory, and {hoster.customers} holds" in one.stderr
        assert "hint: `unstoppable customer add NAME --resource NAME=DIR` adds one" in one.stderr
