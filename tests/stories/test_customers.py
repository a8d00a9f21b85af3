"""Many customers on one machine: each is backed up when it is due, and none stops another."""

import shutil
import signal
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.stories.test_schedule import age
from tests.stories.world import DEADLINE_SECONDS
from unstoppable.domain.names import ResourceName
from unstoppable.runner import lane
from unstoppable.runner.run import new_run

NEVER = "0 0 29 2 *"


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it never was so"
        time.sleep(0.3)


def wait_until_read(path: Path) -> int:
    """Wait until some process has begun to read a file, and return that process."""
    until = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                for descriptor in (process / "fd").iterdir():
                    if descriptor.readlink() == path:
                        return int(process.name)
    raise AssertionError("nobody reads it")


def test_what_is_due_is_backed_up_and_told_with_its_name(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.add("blue", www=NEVER)

    told = hoster.machine.run("schedule", "tick")
    again = hoster.machine.run("schedule", "tick")

    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    for resource in ("acme/www", "acme/mail", "blue/www"):
        source = hoster.source(*resource.split("/"))
        assert any(line.startswith(f"{resource}: stored: {source} (1 file") for line in lines)
        assert hoster.runs(resource) == [("succeeded", "")]
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_each_comes_back_and_no_other(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.machine.done("schedule", "tick")
    assert "acme:" in hoster.machine.done("key", "emitter", "acme/www")
    assert "whole: 2 signed" in hoster.machine.done("runs", "acme/mail", "--verify")

    back = hoster.machine.restored("acme/mail")
    unnamed = hoster.machine.run("restore", "--to", str(hoster.machine.root / "back"))

    assert (back / "file").read_text() == "acme's mail\n"
    assert unnamed.returncode == 2
    assert "name one of acme/mail, acme/www" in unnamed.stderr


def test_a_customer_whose_backup_fails_or_whose_file_is_broken_stops_no_other(hoster):
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    hoster.add("cyan", www=NEVER)
    (hoster.source("acme", "www") / "file").unlink()
    hoster.source("acme", "www").rmdir()
    (hoster.customers / "blue.toml").write_text("nonsense")

    told = hoster.machine.run("schedule", "tick")

    assert told.returncode == 1
    assert "acme/www: error: " in told.stderr
    assert "blue.toml cannot be used" in told.stderr
    assert hoster.runs("cyan/www") == [("succeeded", "")]
    assert hoster.runs("acme/www")[0][0] == "failed"


def test_a_rehearsal_tells_what_is_due_and_changes_nothing(hoster):
    hoster.add("acme", www=NEVER)

    told = hoster.machine.done("schedule", "tick", "--dry-run")

    assert "acme/www" in told
    assert hoster.runs("acme/www") == []


def test_a_tick_that_is_stopped_has_its_runs_keep_what_they_have(hoster):
    hoster.add("acme", www=NEVER)
    large = hoster.lengthen("acme", gibibytes=64)
    tick = hoster.machine.start("schedule", "tick")
    wait_until_read(large)

    tick.send_signal(signal.SIGTERM)
    told, _ = tick.communicate(timeout=60)

    assert tick.returncode == 130
    [(outcome, _)] = hoster.runs("acme/www")
    assert outcome == "cancelled"
    assert "acme/www: cancelled" in told


def test_a_tick_that_is_killed_leaves_its_runs_to_end_by_themselves(hoster):
    hoster.add("acme", www=NEVER)
    large = hoster.lengthen("acme", gibibytes=2)
    tick = hoster.machine.start("schedule", "tick")
    wait_until_read(large)

    tick.kill()
    tick.communicate()
    until = time.monotonic() + 60
    while time.monotonic() < until and hoster.runs("acme/www")[0][0] is None:
        time.sleep(0.2)

    assert hoster.runs("acme/www") == [("succeeded", "")]


def test_status_tells_first_who_needs_somebody(hoster):
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    hoster.machine.run("schedule", "tick")
    well = hoster.machine.run("status")
    (hoster.source("blue", "www") / "file").unlink()
    hoster.source("blue", "www").rmdir()
    hoster.machine.run("backup", "blue/www")
    hoster.add("cyan", www=NEVER)

    ill = hoster.machine.run("status")
    one = hoster.machine.run("status", "acme/www")
    document = hoster.machine.asked("status")

    assert well.returncode == 0
    assert well.stdout.startswith("2 of 2 last runs stored, oldest ")
    assert "verified by a reporter: never" in well.stdout
    assert ill.returncode == 1
    verdict, _, *rows = ill.stdout.splitlines()
    assert verdict == "2 of 3 need you: blue/www, cyan/www"
    assert [row.split()[0] for row in rows] == ["blue/www", "cyan/www", "acme/www"]
    assert "the last run failed: " in rows[0]
    assert "it was never backed up" in rows[1]
    assert "acme/www" in one.stdout
    assert [found["needs"] is None for found in document["resources"]] == [False, False, True]


def test_a_run_that_was_killed_is_not_called_running_while_another_one_is(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.machine.done("backup", "acme/mail")
    large = hoster.lengthen("acme", gibibytes=64)
    with hoster.machine.start("backup", "acme/www", to_be_killed=True) as running:
        wait_until_read(large)
        at_work = hoster.machine.asked("status", "acme/www")["is_running"]
        beside = hoster.machine.asked("status", "acme/mail")["is_running"]
        running.kill()
    lane_file = hoster.machine.hot / "acme/lane.lock"

    # Whatever holds the lane and records no run, such as `hot rebuild`, calls nobody dead.
    with lane.hold(lane_file, new_run(ResourceName.parse("acme/mail"))):
        told = hoster.machine.done("runs", "acme/www")
        one = hoster.machine.run("status", "acme/www")
        whole = hoster.machine.run("status")

    assert (at_work, beside) == (True, False)
    assert "  killed\n" in told
    assert " killed" in one.stdout
    assert "running" not in told + one.stdout + whole.stdout
    assert "the last run was killed" in whole.stdout


def test_beside_a_long_run_a_tick_starts_nothing_and_what_waits_is_not_called_missed(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.machine.done("backup", "acme/www")
    hoster.machine.done("backup", "acme/mail")
    file = hoster.customers / "acme.toml"
    mail = file.read_text().partition("[resources.mail]")
    file.write_text("".join((*mail[:2], mail[2].replace(NEVER, "* * * * *"))))
    large = hoster.lengthen("acme", gibibytes=64)
    by_hand = hoster.machine.start("backup", "acme/www")
    wait_until_read(large)
    age(hoster.machine, minutes=4)

    tick = hoster.machine.run("schedule", "tick")
    skipped = hoster.runs("acme/mail")[1:]
    by_hand.terminate()
    by_hand.communicate(timeout=60)
    hoster.machine.done("schedule", "tick", "acme/mail")

    assert (tick.returncode, tick.stdout, tick.stderr) == (0, "", "")
    assert len(skipped) >= 2
    for outcome, message in skipped:
        assert outcome == "skipped"
        assert message.startswith("skipped: others were at work from ")
    assert hoster.runs("acme/mail")[-1][0] == "succeeded"


def test_what_does_not_wait_is_skipped_and_recorded_at_once(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.machine.done("backup", "acme/www")
    hoster.machine.done("backup", "acme/mail")
    file = hoster.customers / "acme.toml"
    text = file.read_text().replace(NEVER, "* * * * *")
    file.write_text(text + 'overlap = "skip"\n')
    large = hoster.lengthen("acme", gibibytes=64)
    by_hand = hoster.machine.start("backup", "acme/www")
    wait_until_read(large)
    age(hoster.machine, minutes=1)

    hoster.machine.done("schedule", "tick", "acme/mail")
    told = hoster.runs("acme/mail")
    by_hand.terminate()
    by_hand.communicate(timeout=60)

    assert told[-1][0] == "skipped"
    assert told[-1][1].startswith("skipped: acme/mail does not wait for others, who were at work")


def test_a_daemon_takes_new_customers_refuses_what_is_broken_and_stops(hoster):
    hoster.add("acme", www=NEVER)
    daemon = hoster.machine.start("daemon")
    wait_until(lambda: hoster.runs("acme/www") == [("succeeded", "")])

    hoster.add("blue", www=NEVER)
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: hoster.runs("blue/www") == [("succeeded", "")])
    file = hoster.customers / "acme.toml"
    whole = file.read_text()
    file.write_text("nonsense")
    daemon.send_signal(signal.SIGHUP)
    time.sleep(2)
    file.write_text(whole)
    hoster.add("cyan", www=NEVER)
    large = hoster.lengthen("cyan", gibibytes=64)
    daemon.send_signal(signal.SIGHUP)
    wait_until_read(large)
    daemon.terminate()
    _, told = daemon.communicate(timeout=60)

    assert daemon.returncode == 0
    assert "planning 1 resource of 1 customer\n" in told
    assert "read again, planning 2 resources of 2 customers" in told
    assert "acme.toml cannot be used" in told
    assert "the new settings are refused; what was planned before goes on" in told
    assert told.endswith("stopped\n")
    assert [outcome for outcome, _ in hoster.runs("cyan/www")] == ["cancelled"]


def test_two_daemons_and_a_person_back_up_each_slot_once(hoster):
    for customer in ("acme", "blue", "cyan"):
        hoster.add(customer, www=NEVER, mail=NEVER)
    daemons = [hoster.machine.start("daemon") for _ in range(2)]
    by_hand = hoster.machine.run("backup", "acme/www")
    resources = [
        f"{customer}/{name}" for customer in ("acme", "blue", "cyan") for name in ("www", "mail")
    ]
    wait_until(lambda: all("succeeded" in dict(hoster.runs(one)) for one in resources))
    time.sleep(2)
    for daemon in daemons:
        daemon.terminate()
    for daemon in daemons:
        daemon.communicate(timeout=60)

    assert by_hand.returncode in {0, 11}
    for resource in resources:
        stored = [outcome for outcome, _ in hoster.runs(resource) if outcome == "succeeded"]
        assert len(stored) == 1 + (
            resource == "acme/www" and by_hand.returncode == 0
        ) or stored == ["succeeded"]


def test_config_check_tells_of_each_what_the_next_day_brings(hoster):
    hoster.add("acme", www="17 2 * * *", mail="18 2 * * *")
    hoster.add("blue", www=NEVER)
    (hoster.customers / "cyan.toml").write_text("bukcet = 'x'\n")

    told = hoster.machine.run("config", "check")
    one = hoster.machine.run("config", "check", "acme/www")
    document = hoster.machine.asked("config", "check")

    assert told.returncode == 2
    for resource in ("acme/www", "acme/mail", "blue/www"):
        assert f"{resource}: {hoster.source(*resource.split('/'))} is backed up to" in told.stdout
    assert "unknown key bukcet in" in told.stderr
    assert "the schedule 0 0 29 2 * UTC of blue/www" in told.stderr
    assert told.stdout.endswith(
        "3 resources: 2 in order, 1 with faults, and 2 faults in files of customers\n"
    )
    assert one.returncode == 0, one.stderr
    assert len(document["resources"]) == 3
    assert {"CustomerFileInvalid", "CustomerKeyUnknown"} == {
        fault["kind"] for fault in document["faults"]
    }


def test_a_customer_is_added_backed_up_and_removed_and_nothing_is_lost(hoster):
    machine = hoster.machine
    machine.env_file.parent.mkdir(parents=True)
    machine.env_file.touch(0o600)
    machine.write("www/index.html", "hello\n")
    machine.write("mail/1", "letter\n")
    resources = [f"--resource={name}={machine.data}/{name}" for name in ("www", "mail")]

    added = machine.run("customer", "add", "acme", *resources, "--title", 'Acme "Ltd" \u00fc')
    again = machine.run("customer", "add", "acme", *resources)
    machine.done("schedule", "tick")
    sheets = [machine.done("key", "sheet", f"acme/{name}") for name in ("www", "mail")]
    machine.done("schedule", "tick")
    back = machine.restored("acme/mail")
    rehearsed = machine.done("customer", "remove", "acme", "--dry-run")
    removed = machine.done("customer", "remove", "acme")
    after = machine.run("backup", "acme/www")
    [aside] = hoster.customers.glob("acme.toml.removed-*")
    aside.rename(hoster.customers / "acme.toml")

    assert added.returncode == 0, added.stderr
    assert added.stdout == f"added: 2 resources of acme in {hoster.customers}/acme.toml\n"
    assert again.returncode == 2
    assert "there is a customer acme already" in again.stderr
    assert (back / "1").read_text() == "letter\n"
    assert all("recovery-sheet.html" in sheet for sheet in sheets)
    assert f"acme/mail in {machine.cold}" in removed
    assert "would be backed up no more" in rehearsed
    assert after.returncode == 2
    assert machine.restored("acme/www").joinpath("index.html").read_text() == "hello\n"
    for path in (hoster.customers / "acme").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_interrupted_addition_goes_on_with_the_same_keys(hoster):
    machine = hoster.machine
    machine.write("www/file")
    machine.env_file.parent.mkdir(parents=True)
    machine.env_file.touch(0o600)
    machine.cold.touch()  # no folder can be made beneath it
    argv = ("customer", "add", "acme", f"--resource=www={machine.data}/www")

    refused = machine.run(*argv)
    secret = (hoster.customers / "acme/root-secret").read_text()
    is_there = (hoster.customers / "acme.toml").exists()
    machine.cold.unlink()
    machine.done(*argv)

    assert refused.returncode == 1, refused.stderr
    assert not is_there, "nobody backs up into a repository that is not there"
    assert (hoster.customers / "acme/root-secret").read_text() == secret
    machine.done("backup", "acme/www")


def test_a_bundle_is_all_that_another_machine_needs_and_holds_no_root_secret(hoster):
    machine = hoster.machine
    machine.write("www/file", "hers\n")
    bundle = machine.root / "acme.tar"
    argv = ("customer", "add", "acme", f"--resource=www={machine.data}/www")
    machine.done(*argv, "--bundle", str(bundle))
    secret = (hoster.customers / "acme/root-secret").read_text()
    shutil.rmtree(machine.env_file.parent)
    machine.env_file.parent.mkdir(mode=0o700)
    machine.env_file.touch(0o600)

    with tarfile.open(bundle) as archive:
        archive.extractall(machine.env_file.parent, filter="data")
        names = sorted(archive.getnames())
    machine.done("backup", "acme/www")

    assert names == ["customers/acme.pins.json", "customers/acme.toml", "customers/acme/www.key"]
    assert secret.encode() not in bundle.read_bytes()
    assert (machine.restored("acme/www") / "file").read_text() == "hers\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Acme", "--resource=www=/x"), "'Acme'"),
        (("acme", "--resource=www"), "write NAME=DIR"),
        (("acme", "--resource=W=/x"), "'W'"),
        (("acme", "--resource=www=x"), "not a path"),
        (("acme", "--resource=www=/x", "--schedule", "61 * * * *"), "schedule"),
        (("acme", "--resource=www=ftp://a@b/c"), "not spoken"),
        (("acme", "--resource=www=ftps://a:secret@b/c"), "password"),
    ],
)
def test_a_customer_that_cannot_be_is_refused(hoster, arguments, told):
    result = hoster.machine.run("customer", "add", *arguments)

    assert result.returncode == 2
    assert told in result.stderr
    assert "a:secret" not in result.stderr
    assert not (hoster.customers / "acme.toml").exists()


def test_one_caller_is_for_all_of_them(hoster):
    hoster.add("acme", www="17 2 * * *")
    hoster.add("blue", www=NEVER)
    # The settings of a story are in its environment, which no timer has.
    settings = hoster.machine.environment()
    places = ("HOT", "COLD", "STATE")
    lines = [f"UNSTOPPABLE_{place}={settings[f'UNSTOPPABLE_{place}']}\n" for place in places]
    hoster.machine.env_file.write_text("".join(lines))

    planned = hoster.machine.run("schedule", "install", "--cron", "--dry-run")
    shown = hoster.machine.done("schedule", "show")
    removed = hoster.machine.done("schedule", "remove", "--dry-run")
    (hoster.customers / "blue.toml").write_text("nonsense")
    refused = hoster.machine.run("schedule", "install", "--cron", "--dry-run")

    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("schedule tick") == 1
    assert f"--env-file {hoster.machine.env_file}" in planned.stdout
    assert "acme/www  17 2 * * * UTC" in shown
    assert (
        "the schedule of 2 resources is called by nobody, as before" in removed
        or "would be" in removed
    )
    assert refused.returncode == 2
