"""A daemon that is started while something in its settings is wrong."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.stories.hoster import NEVER, Hoster, wait_until
from tests.stories.test_schedule import age
from tests.stories.world import Machine
from unstoppable.domain.names import ResourceName
from unstoppable.domain.schedule import Schedule
from unstoppable.runner import remembered
from unstoppable.runner.journal import Journal
from unstoppable.runner.outbox import Outbox

EACH_MINUTE = "* * * * *"


@contextmanager
def daemon(machine: Machine) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
    """Start a daemon; gives what it said."""
    log = machine.root / "log"
    with log.open("w") as said:
        running = subprocess.Popen(
            machine.argv("daemon"), env=machine.environment(), stdout=said, stderr=said
        )
    try:
        yield running, log.read_text
    finally:
        running.terminate()
        running.wait(timeout=60)


def test_it_starts_where_no_customers_file_can_be_used_and_takes_those_that_are_mended(
    hoster: Hoster, postbox, witness
):
    hoster.add("acme", www=EACH_MINUTE)
    hoster.machine.done("backup", "acme/www")
    acme = ResourceName.parse("acme/www")
    remembered.keep(hoster.machine.state, {acme: Schedule.parse(EACH_MINUTE)})
    hoster.add("blue", www=NEVER)
    hoster.machine.extra |= {
        "UNSTOPPABLE_SMTP_SERVER": postbox.address,
        "UNSTOPPABLE_MAIL_TO": "ops@host.example",
        "UNSTOPPABLE_NOTIFY_CA_FILE": str(witness.certificate.authority),
    }
    files = {name: hoster.customers / f"{name}.toml" for name in ("acme", "blue")}
    whole = {name: file.read_text() for name, file in files.items()}
    for file in files.values():
        file.write_text("nonsense")
    age(hoster.machine, minutes=3)

    with daemon(hoster.machine) as (running, said):
        wait_until(lambda: "planning 0 resources of 0 customers\n" in said())
        # A mail waits a minute for others; what it will tell is noted at once.
        wait_until(lambda: {"acme", "blue"} <= noted(hoster).keys())
        wait_until(lambda: recorded(hoster.machine, "acme/www")[0].startswith("failed: "))
        files["blue"].write_text(whole["blue"])
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: recorded(hoster.machine, "blue/www") == ["succeeded: None"])
        files["blue"].write_text("nonsense")
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: "are refused" in said())

    assert running.returncode == 0
    assert "acme.toml cannot be used" in recorded(hoster.machine, "acme/www")[0]
    assert "read again, planning 1 resource of 1 customer\n" in said()
    assert "acme.toml cannot be used" in said().partition("read again")[0]


def test_a_folder_of_customers_that_is_empty_all_of_a_sudden_is_not_taken(hoster: Hoster):
    hoster.add("acme", www=NEVER)
    file = hoster.customers / "acme.toml"

    with daemon(hoster.machine) as (running, said):
        wait_until(lambda: "planning 1 resource" in said())
        file.rename(file.with_suffix(".aside"))
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: "are refused" in said())
        file.with_suffix(".aside").rename(file)
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: "read again, planning 1 resource of 1 customer\n" in said())

    assert f"error: the folder of customers {hoster.customers} is empty, and was not" in said()


def test_who_was_known_is_remembered_while_the_folder_of_customers_is_empty(hoster: Hoster):
    hoster.add("acme", www=EACH_MINUTE)
    hoster.machine.done("schedule", "tick")
    known = remembered.read(hoster.machine.state)
    (hoster.customers / "acme.toml").unlink()

    hoster.machine.done("schedule", "tick")

    assert list(map(str, known)) == ["acme/www"]
    assert remembered.read(hoster.machine.state) == known


def noted(hoster: Hoster) -> dict[str, str | None]:
    """Return of whom a mail will tell, and what."""
    return {name: known.need for name, known in Outbox(hoster.machine.state).alerts().items()}


def recorded(machine: Machine, resource: str) -> list[str]:
    """Return the messages of a resource's runs, newest first, whatever its settings say."""
    runs = Journal(machine.state).runs(ResourceName.parse(resource), limit=9)
    return [f"{run.outcome}: {run.message}" for run in runs]


def test_it_starts_with_a_mistake_in_the_settings_file_and_records_what_cannot_be_backed_up(
    well: Machine,
):
    text = well.env_file.read_text()
    well.env_file.write_text(f"{text}UNSTOPPABLE_SCHEDULE='{EACH_MINUTE}'\nUNSTOPPABLE_HOTT=/x\n")
    age(well, minutes=3)

    with daemon(well) as (running, said):
        wait_until(lambda: "planning 0 resources" in said())
        words = "failed: the run of default/default ended before it began: unknown setting "
        wait_until(lambda: recorded(well, "default/default")[0].startswith(words))

    assert running.returncode == 0
    assert "unknown setting UNSTOPPABLE_HOTT" in said()


@pytest.mark.parametrize("lost", ["the settings file", "the place of the state", "the state"])
def test_it_is_refused_where_nothing_could_be_recorded(well: Machine, lost):
    code, words = 2, f"cannot read {well.env_file}"
    if lost == "the settings file":
        well.env_file.unlink()
        well.env_file.mkdir()
    elif lost == "the place of the state":
        well.extra["UNSTOPPABLE_STATE"] = "not/absolute"
        words = "UNSTOPPABLE_STATE"
    else:
        well.state.rename(well.root / "aside")
        well.state.write_text("no folder\n")
        code, words = 1, f"cannot use {well.state}: it is not a folder"

    told = well.run("daemon")

    assert told.returncode == code
    assert words in told.stderr
    assert "planning" not in told.stderr
