"""A customer whose file is broken when a slot comes: it is recorded, once, and told."""

import json
import re
import signal
import subprocess
from datetime import UTC, datetime, timedelta

from tests.stories.hoster import Hoster, wait_until, wait_until_read
from tests.stories.test_schedule import age
from tests.stories.world import Machine, stretch

NEVER = "0 0 29 2 *"
EACH_MINUTE = "* * * * *"


def test_a_slot_that_a_broken_file_left_unserved_is_recorded_once_with_the_reason(
    hoster: Hoster,
) -> None:
    hoster.add("acme", www=NEVER)
    hoster.machine.done("schedule", "tick")
    file = hoster.customers / "acme.toml"
    whole = file.read_text()
    file.write_text(whole.replace(NEVER, EACH_MINUTE))
    hoster.machine.done("schedule", "tick")
    known = hoster.runs("acme/www")
    file.write_text("bukcet = 'x'\n" + whole.replace(NEVER, EACH_MINUTE))

    told = [later(hoster, minutes, "schedule", "tick") for minutes in (10, 10, 11)]
    status = hoster.machine.run("status")
    file.write_text(whole)
    new = hoster.runs("acme/www")[len(known) :]

    assert [code for code, _ in told] == [2, 2, 2], told
    assert all("unknown key bukcet in" in words for _, words in told)
    failed = [message for outcome, message in new if outcome == "failed"]
    assert len(failed) == 2
    assert all(
        re.fullmatch(
            r"the run of acme/www ended before it began: unknown key bukcet in .* line 1", message
        )
        for message in failed
    )
    assert status.returncode == 1
    assert "unknown key bukcet in" in status.stdout


def test_so_is_one_of_a_customer_that_shares_what_it_must_not(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    file = hoster.customers / "blue.toml"
    file.write_text(file.read_text().replace("keys/blue-www", "keys/acme-www"))

    told = hoster.machine.run("schedule", "tick")
    again = hoster.machine.run("schedule", "tick")

    file.write_text(file.read_text().replace("keys/acme-www", "keys/blue-www"))
    assert (told.returncode, again.returncode) == (2, 2)
    assert told.stderr.count("error: acme/www and blue/www have one key") == 1
    for resource in ("acme/www", "blue/www"):
        [(outcome, message)] = hoster.runs(resource)
        assert outcome == "failed"
        assert "acme/www and blue/www have one key" in message


def test_who_was_never_in_order_has_no_slot_and_stands_in_status(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)
    (hoster.customers / "acme.toml").write_text("nonsense")

    told = hoster.machine.run("schedule", "tick")
    status = hoster.machine.run("status")

    assert told.returncode == 2
    assert status.returncode == 1
    assert "acme.toml cannot be used" in status.stdout


def test_a_number_without_end_stops_its_customer_alone(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    file = hoster.customers / "acme.toml"
    file.write_text(f"connections = 0x{'f' * 5000}\n{file.read_text()}")

    ticked = hoster.machine.run("schedule", "tick")
    status = hoster.machine.run("status")
    checked = hoster.machine.run("config", "check")

    assert (ticked.returncode, status.returncode, checked.returncode) == (2, 1, 2)
    for told in (ticked.stderr, status.stdout, checked.stderr):
        assert f"connections in {file} line 1 cannot be used: it is more than " in told
        assert "a fault in the program" not in told
    assert hoster.runs("blue/www") == [("succeeded", "")]


def test_a_customer_that_left_is_not_remembered(hoster: Hoster) -> None:
    hoster.add("acme", www=EACH_MINUTE)
    hoster.add("blue", www=NEVER)
    hoster.machine.done("schedule", "tick")
    known = hoster.runs("acme/www")
    (hoster.customers / "acme.toml").rename(hoster.customers / "acme.toml.removed")
    hoster.machine.done("schedule", "tick")
    (hoster.customers / "acme.toml").write_text("nonsense")

    later(hoster, 10, "schedule", "tick")
    (hoster.customers / "acme.toml.removed").rename(hoster.customers / "acme.toml")

    assert [one for one in hoster.runs("acme/www") if one[0] == "failed"] == []
    assert known


def test_what_is_remembered_may_be_lost_or_damaged(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)
    hoster.machine.done("schedule", "tick")
    remembered = hoster.machine.state / "schedules.json"
    assert remembered.exists()
    remembered.write_text("{ nonsense")

    told = hoster.machine.run("schedule", "tick")

    assert told.returncode == 0, told.stderr
    assert '"acme/www": "0 0 29 2 * UTC"' in remembered.read_text()


def test_so_is_one_of_a_machine_with_one_directory(well: Machine) -> None:
    with well.env_file.open("a") as file:
        file.write(f"UNSTOPPABLE_SCHEDULE='{EACH_MINUTE}'\nUNSTOPPABLE_HOTT=/x\n")

    told = later(Hoster(well), 10, "schedule", "tick")
    well.env_file.write_text(well.env_file.read_text().replace("UNSTOPPABLE_HOTT=/x\n", ""))
    run = well.asked("runs")[0]

    assert told[0] == 2
    assert run["outcome"] == "failed"
    assert "ended before it began: unknown setting UNSTOPPABLE_HOTT" in run["message"]


def test_a_slot_that_finds_a_run_at_work_is_skipped_also_where_the_settings_cannot_be_used(
    well: Machine,
) -> None:
    age(well, minutes=20)
    large = stretch(well.write("large"), gibibytes=64)
    running = well.start("backup")
    wait_until_read(large)
    whole = well.env_file.read_text()
    more = f"UNSTOPPABLE_SCHEDULE='{EACH_MINUTE}'\nUNSTOPPABLE_HOTT=/x\n"
    well.env_file.write_text(whole + more)

    told = later(Hoster(well), 3, "schedule", "tick")
    well.env_file.write_text(whole)
    running.terminate()
    running.communicate(timeout=60)

    messages = [run["message"] or "" for run in well.asked("runs")]
    assert told[0] == 2
    assert [message for message in messages if "ended before it began" in message] == []
    assert [message for message in messages if "default/default was still at work at" in message]


def test_what_is_stored_is_told_though_settings_cannot_be_used_and_unknown_is_what_is_not_known(
    hoster,
):
    hoster.add("acme", www=NEVER)
    hoster.machine.done("backup", "acme/www")
    file = hoster.customers / "acme.toml"

    file.write_text(file.read_text() + 'max_shrink = "half"\n')
    told = hoster.machine.run("status", "--json")
    file.write_text("nonsense")
    unknown = hoster.machine.run("status").stdout.splitlines()[2]

    [row] = json.loads(told.stdout)["resources"]
    assert told.returncode == 1
    assert "max_shrink" in row["needs"]
    assert row["last_stored"]["outcome"] == row["last_run"]["outcome"] == "succeeded"
    assert unknown.split()[:3] == ["acme", "unknown", "unknown"]


def later(hoster: Hoster, minutes: int, *arguments: str) -> tuple[int, str]:
    """Run the program at a later moment; returns its exit code and what it said."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    hoster.machine.entered = ("faketime", f"{at:%Y-%m-%d %H:%M:%S}")
    result = hoster.machine.run(*arguments, settings={"TZ": "UTC"})
    hoster.machine.entered = ()
    return result.returncode, result.stderr


def test_a_daemon_goes_on_with_its_customers_where_their_folder_cannot_be_read_any_more(hoster):
    machine, log = hoster.machine, hoster.machine.root / "log"
    hoster.add("acme", www=NEVER)
    with log.open("w") as said:
        daemon = subprocess.Popen(
            machine.argv("daemon"), env=machine.environment(), stdout=said, stderr=said
        )
    wait_until(lambda: hoster.runs("acme/www") == [("succeeded", "")])
    aside = machine.root / "aside"

    def refused(times: int) -> None:
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: log.read_text().count("are refused") == times)

    hoster.customers.rename(aside)
    refused(1)
    hoster.customers.write_text("no folder\n")
    refused(2)
    hoster.customers.unlink()
    aside.rename(hoster.customers)
    hoster.add("blue", www=NEVER)
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: hoster.runs("blue/www") == [("succeeded", "")])
    daemon.terminate()
    daemon.wait(timeout=60)

    told, folder = log.read_text(), f"the folder of customers {hoster.customers} cannot be read"
    assert f"error: the folder of customers {hoster.customers} is gone\n" in told
    assert f"error: {folder}: Not a directory\n" in told
    assert daemon.returncode == 0
    assert "default/default" not in told
