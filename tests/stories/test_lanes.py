"""One customer's resources one after the other, whoever starts them: ticks, daemons and people."""

import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

from tests.stories.dead_mount import dead
from tests.stories.hasty import hurry
from tests.stories.hoster import NEVER, Hoster, wait_until, wait_until_read
from tests.stories.test_schedule import age
from unstoppable.domain.names import ResourceName
from unstoppable.runner import lane
from unstoppable.runner.run import new_run


def test_customers_run_beside_each_other_and_a_slot_that_finds_its_last_run_at_work_is_skipped(
    hoster,
):
    """The diagram that this program began with: job 2 of customer 1 overlaps with its job 1."""
    hoster.add("customer1", www="0 * * * *")
    hoster.add("customer2", www="0 8 * * *")
    large = hoster.lengthen("customer1", gibibytes=1)

    eight = start_at(hoster, hour=8)
    long_one = wait_until_read(large)
    os.kill(long_one, signal.SIGSTOP)
    wait_until(lambda: hoster.runs("customer2/www") == [("succeeded", "")])
    beside = hoster.runs("customer1/www")
    nine = start_at(hoster, hour=9)
    told_at_nine = nine.communicate(timeout=60)
    at_nine = hoster.runs("customer1/www")
    os.kill(long_one, signal.SIGCONT)
    told_at_eight, _ = eight.communicate(timeout=60)
    ten = start_at(hoster, hour=10)
    told_at_ten, _ = ten.communicate(timeout=60)

    assert [tick.returncode for tick in (eight, nine, ten)] == [0, 0, 0]
    assert [line.split(":")[0] for line in told_at_eight.splitlines()] == [
        "customer2/www",
        "customer1/www",
    ]
    assert beside == [(None, "")]
    day = f"{tomorrow():%Y-%m-%d}"
    skipped = ("skipped", f"skipped: a run of customer1/www was still at work at {day} 09:00 UTC")
    assert told_at_nine == ("", "")
    assert at_nine == [(None, ""), skipped]
    assert told_at_ten.startswith("customer1/www: stored: ")
    assert hoster.runs("customer1/www") == [("succeeded", ""), skipped, ("succeeded", "")]
    assert hoster.runs("customer2/www") == [("succeeded", "")]
    slots = [run["slot"] for run in hoster.machine.asked("runs", "customer1/www")]
    assert slots == [f"{day}T{hour}:00:00Z" for hour in ("10", "09", "08")]


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def start_at(hoster: Hoster, *, hour: int) -> subprocess.Popen[str]:
    """Start a tick for which it is this hour tomorrow; its runs have the clock of this machine."""
    hoster.machine.entered = ("faketime", f"{tomorrow():%Y-%m-%d} {hour:02}:00:00")
    hoster.machine.extra["TZ"] = "UTC"
    tick = hoster.machine.start("schedule", "tick")
    hoster.machine.entered = ()
    return tick


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


def test_a_run_that_does_not_end_with_its_tick_is_killed_and_recorded_by_it(hoster):
    hurry(hoster.machine, grace=1.0)
    hoster.add("acme", www=NEVER)
    with dead(hoster.source("acme", "www") / "gone"):
        tick = hoster.machine.start("schedule", "tick")
        wait_until(lambda: hoster.runs("acme/www") == [(None, "")])
        time.sleep(1)
        tick.terminate()
        tick.communicate(timeout=30)

    assert tick.returncode == 130
    assert hoster.runs("acme/www") == [
        ("failed", "the run of acme/www ended and did not say how: its exit code is 137")
    ]


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


def test_a_daemon_takes_how_many_may_run_at_once_and_refuses_another_place(hoster):
    machine, log = hoster.machine, hoster.machine.root / "log"
    for customer in ("acme", "blue"):
        hoster.add(customer, www=NEVER)
    large = [hoster.lengthen(customer, gibibytes=64) for customer in ("acme", "blue")]
    environment = machine.environment()
    settings = f"UNSTOPPABLE_STATE={environment.pop('UNSTOPPABLE_STATE')}\n"
    machine.env_file.write_text(f"{settings}UNSTOPPABLE_PARALLEL=1\n")
    with log.open("w") as said:
        daemon = subprocess.Popen(machine.argv("daemon"), env=environment, stderr=said)
    wait_until_read(large[0])

    machine.env_file.write_text(f"UNSTOPPABLE_STATE={machine.root}/x\nUNSTOPPABLE_PARALLEL=2\n")
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "are refused" in log.read_text())
    is_alone = not (machine.hot / "blue/lane.lock").exists()
    machine.env_file.write_text(f"{settings}UNSTOPPABLE_PARALLEL=2\n")
    daemon.send_signal(signal.SIGHUP)
    wait_until_read(large[1])
    daemon.terminate()
    daemon.wait(timeout=60)

    assert is_alone
    assert (
        f"error: UNSTOPPABLE_STATE became {machine.root}/x, "
        f"and this daemon goes on with {machine.state}\n"
    ) in log.read_text()
    assert not (machine.root / "x").exists()
    for customer in ("acme", "blue"):
        assert [outcome for outcome, _ in hoster.runs(f"{customer}/www")] == ["cancelled"]
