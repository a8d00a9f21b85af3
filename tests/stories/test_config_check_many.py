"""`config check` as somebody new meets it, with many customers and several mistakes at once."""

import resource
import subprocess

import pytest

from tests.stories.hoster import Hoster
from tests.stories.world import PROGRAM

SLOT = "17 2 * * *"
NEVER = "0 0 29 2 *"
KEPT = "[defaults]\nkeep = { daily = 14 }\n\n"


def change(hoster: Hoster, customer: str, before: str, after: str) -> None:
    file = hoster.customers / f"{customer}.toml"
    file.write_text(file.read_text().replace(before, after))


def test_the_mistakes_of_a_file_come_in_the_order_of_its_lines(hoster: Hoster) -> None:
    hoster.add("acme", www=SLOT)
    (hoster.customers / "blue.toml").write_text(
        'nam = "Blue"\n[default]\n[resources.www]\nsource = "/x"\n'
        'sorce = "/x"\nkeep = { dayly = 1 }\n'
    )

    told = hoster.machine.run("config", "check")

    assert told.returncode == 2
    lines = [line for line in told.stderr.splitlines() if line.startswith("error: unknown key")]
    assert [line.rpartition(" ")[2] for line in lines] == ["1", "2", "5", "6"]
    assert [line.split()[3] for line in lines] == [
        "nam",
        "default",
        "resources.www.sorce",
        "resources.www.keep.dayly",
    ]


def test_who_is_refused_is_not_said_to_be_backed_up(hoster: Hoster) -> None:
    hoster.add("acme", www=SLOT)
    hoster.add("blue", www=SLOT)
    change(hoster, "blue", SLOT, f'{SLOT}"\nmax_shrink = "half')

    told = hoster.machine.run("config", "check")

    sources = [hoster.source(customer, "www") for customer in ("acme", "blue")]
    assert told.returncode == 2
    assert f"acme/www: {sources[0]} is backed up to {hoster.machine.cold}\n" in told.stdout
    assert (
        f"blue/www: {sources[1]} is not backed up until its settings are mended\n"
        "in the next 24 hours: 1 slot would be recorded as failed\n"
    ) in told.stdout


def test_faults_that_concern_all_are_counted_apart_from_those_of_a_customer(hoster: Hoster) -> None:
    hoster.customers.mkdir(parents=True)
    (hoster.customers / "acme.toml").write_text("nonsense")
    hoster.machine.env_file.write_text("UNSTOPPABLE_HOTT=/x\nUNSTOPPABLE_COLDD=/x\n")
    hoster.machine.env_file.chmod(0o600)

    nobody = hoster.machine.run("config", "check")
    (hoster.customers / "acme.toml").unlink()
    hoster.add("blue", www=SLOT)
    one = hoster.machine.run("config", "check")

    assert (nobody.returncode, one.returncode) == (2, 2)
    assert nobody.stderr.count("error: ") == 3
    assert nobody.stdout == (
        "0 resources: 0 in order, 0 with faults, 2 faults in the settings of all, "
        "and 1 fault in files of customers\n"
    )
    assert one.stdout.endswith(
        "1 resource: 0 in order, 1 with faults, and 2 faults in the settings of all\n"
    )


def test_a_file_whose_name_names_nobody_is_told_by_its_path(hoster: Hoster) -> None:
    hoster.add("acme", www=SLOT)
    (hoster.customers / "Emil.toml").write_text("")

    told = hoster.machine.run("config", "check")

    path = hoster.customers / "Emil.toml"
    assert f"error: the customer's file {path} cannot be used: 'Emil' is not a name" in told.stderr


def test_a_schedule_that_is_never_due_is_told_by_its_key(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)

    told = hoster.machine.run("config", "check")

    assert told.returncode == 2
    assert "error: the schedule 0 0 29 2 * UTC of acme/www is not due within a year" in told.stderr
    assert "hint: correct resources.www.schedule; a 29 February" in told.stderr


def test_that_nothing_is_forgotten_yet_is_said_where_somebody_expects_it(hoster: Hoster) -> None:
    hoster.add("acme", www=SLOT)
    hoster.add("blue", www=SLOT)
    silent = hoster.machine.run("config", "check")
    file = hoster.customers / "acme.toml"
    file.write_text(KEPT + file.read_text())

    told = hoster.machine.run("config", "check")
    file.write_text(file.read_text().replace("{ daily = 14 }", "{}"))
    empty = hoster.machine.run("config", "check")

    assert "keep" not in silent.stderr
    assert told.returncode == 0, told.stderr
    assert "note: keep, of acme, has no effect yet: every snapshot stays\n" in told.stderr
    assert empty.returncode == 2
    assert f"defaults.keep in {file} line 2 cannot be used: it keeps nothing" in empty.stderr


@pytest.mark.parametrize("command", ["status", "schedule tick --dry-run", "config check"])
def test_many_customers_are_looked_at_in_little_time(hoster: Hoster, command: str) -> None:
    hoster.customers.mkdir(parents=True)
    hoster.machine.env_file.touch(0o600)
    for number in range(200):
        (hoster.customers / f"c{number}.toml").write_text(
            f'[resources.www]\nsource = "{hoster.machine.data}"\nschedule = "{SLOT}"\n'
            f'repository_key = "file:c{number}/www.key"\n'
        )
    argv = (PROGRAM, *command.split())
    quiet = subprocess.DEVNULL
    used = resource.getrusage(resource.RUSAGE_CHILDREN)

    done = subprocess.run(
        argv, env=hoster.machine.environment(), stdout=quiet, stderr=quiet, check=False
    )

    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    assert done.returncode in {0, 1, 12}
    assert seconds <= 1.5, "a thousand would take more than three seconds"


def test_what_waits_for_a_reporter_is_told_once_for_all_resources_of_a_customer(
    hoster: Hoster,
) -> None:
    hoster.add("acme", www=SLOT, mail=SLOT)
    hoster.add("blue", www=SLOT)
    hoster.machine.extra["UNSTOPPABLE_REPORTERS"] = "http://127.0.0.1:9/records"
    hoster.machine.done("backup", "acme/www")

    told = hoster.machine.run("config", "check").stderr
    document = hoster.machine.asked("config", "check")

    notes = [line for line in told.splitlines() if "undelivered" in line]
    assert len(notes) == 1
    assert notes[0].startswith("note: undelivered: 1 record of acme for http://127.0.0.1:9/records")
    assert f"note: {document['notes'][0]}" == notes[0]


def test_what_is_wrong_for_all_or_between_two_is_told_once(hoster: Hoster) -> None:
    hoster.add("acme", www=SLOT, mail=SLOT)
    hoster.add("blue", www=SLOT)
    change(hoster, "blue", "keys/blue-www", "keys/acme-www")
    hoster.machine.env_file.write_text("UNSTOPPABLE_HOTT=/x\n")

    told = hoster.machine.run("config", "check")
    secrets = hoster.machine.run("secrets", "check")
    document = hoster.machine.asked("config", "check")

    assert told.returncode == 2
    assert told.stderr.count("error: unknown setting UNSTOPPABLE_HOTT") == 1
    assert told.stderr.startswith("error: unknown setting UNSTOPPABLE_HOTT")
    assert told.stderr.count("have one key") == 1
    assert secrets.stderr.count("have one key") == 1
    assert told.stdout.endswith(
        "3 resources: 0 in order, 3 with faults, and 1 fault in the settings of all\n"
    )
    kinds = [[fault["kind"] for fault in one["faults"]] for one in document["resources"]]
    assert all("SettingUnknown" in of_one for of_one in kinds)
    assert sum("KeyShared" in of_one for of_one in kinds) == 2
