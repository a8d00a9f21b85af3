"""Others are told of runs: reporters, ping URLs and people by mail, and no run waits for them."""

import signal
import sqlite3
import time
from contextlib import closing

import pytest

from tests.servers import infisical as faults
from tests.stories.test_customers import wait_until
from tests.stories.world import wait_until_reading

NEVER = "0 0 29 2 *"


@pytest.fixture
def reported(well, witness):
    """Alice's machine, which tells a reporter of its runs."""
    assert witness.certificate is not None
    well.extra |= {
        "UNSTOPPABLE_REPORTERS": witness.records,
        "UNSTOPPABLE_NOTIFY_CA_FILE": str(witness.certificate.authority),
    }
    return well


def runs(witness):
    return [told.record["run"] for told in witness.told]


def outcomes(witness):
    return [told.record["outcome"] for told in witness.told]


def come_again_now(machine):
    """Have what failed be tried again at once, not in a while."""
    with closing(sqlite3.connect(machine.state / "outbox.sqlite3")) as outbox, outbox:
        assert outbox.execute("UPDATE channels SET retry_at = 0").rowcount > 0


def recorded(machine):
    return [run["run"] for run in reversed(machine.asked("runs"))]


def test_a_run_by_hand_is_told_to_the_reporter_before_the_command_ends(reported, witness):
    reported.done("backup")
    (reported.data / "photo.bin").unlink()
    reported.data.rename(reported.data.with_name("gone"))
    failed = reported.run("backup")

    assert failed.returncode == 1
    assert outcomes(witness) == ["succeeded", "succeeded", "failed"]
    assert runs(witness) == recorded(reported)
    assert reported.done("runs", "--signed").encode() == b"".join(
        told.body + b"\n" for told in witness.told
    )


def test_a_reporter_that_hangs_holds_up_the_end_of_a_command_for_seconds_and_no_result(
    reported, witness
):
    witness.faults.extend([faults.hang] * 9)
    began = time.monotonic()
    running = reported.start("backup")
    assert running.stdout is not None
    first = running.stdout.readline()
    told_after = time.monotonic() - began
    out, err = running.communicate(timeout=60)
    took = time.monotonic() - began

    assert (first[:7], running.returncode, out, err) == ("stored:", 0, "", "")
    assert told_after < took - 2
    assert took < told_after + 8


def test_what_a_reporter_missed_is_sent_by_the_tick(reported, witness):
    witness.faults.append(faults.sent(b"", status=500))
    reported.done("backup")
    missed = runs(witness)
    come_again_now(reported)

    reported.run("schedule", "tick")

    assert missed == []
    assert runs(witness) == recorded(reported)


def test_a_run_that_is_killed_loses_no_record_and_the_next_one_tells(reported, witness):
    large = reported.write("large")
    with large.open("ab") as file:
        file.truncate(3 << 30)
    running = reported.start("backup", to_be_killed=True)
    wait_until_reading(running, large)
    running.kill()
    running.communicate()
    large.unlink()

    reported.done("backup")

    assert outcomes(witness) == ["succeeded", "failed", "succeeded"]
    assert runs(witness) == recorded(reported)


def test_customers_records_go_to_their_own_reporters_and_to_nobody_elses(
    hoster, witness, start_witness
):
    others = start_witness(None)
    default = start_witness(None)
    for customer in ("acme", "blue", "cyan"):
        hoster.add(customer, www=NEVER)
    for customer, reporter in (("acme", witness), ("blue", others)):
        path = hoster.customers / f"{customer}.toml"
        path.write_text(f'reporters = ["{reporter.records}"]\n' + path.read_text())
    hoster.machine.extra |= {
        "UNSTOPPABLE_REPORTERS": default.records,
        "UNSTOPPABLE_NOTIFY_CA_FILE": str(witness.certificate.authority),
    }

    told = hoster.machine.run("schedule", "tick")

    assert (told.returncode, told.stderr) == (0, "")
    for server, customer in ((witness, "acme"), (others, "blue"), (default, "cyan")):
        assert [one.record["customer"] for one in server.told] == [customer]


def test_a_daemon_tells_as_runs_end_whatever_other_reporters_do(hoster, witness, start_witness):
    hanging = start_witness(None)
    hanging.faults.extend([faults.hang] * 99)
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    path = hoster.customers / "acme.toml"
    path.write_text(f'reporters = ["{hanging.records}"]\n' + path.read_text())
    hoster.machine.extra |= {
        "UNSTOPPABLE_REPORTERS": witness.records,
        "UNSTOPPABLE_NOTIFY_CA_FILE": str(witness.certificate.authority),
    }
    daemon = hoster.machine.start("daemon")

    wait_until(lambda: outcomes(witness) == ["succeeded"])
    wait_until(lambda: hoster.runs("acme/www") == [("succeeded", "")])
    hoster.add("cyan", www=NEVER)
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: len(witness.told) == 2)
    daemon.terminate()
    daemon.communicate(timeout=30)

    assert daemon.returncode == 0
    assert {told.record["customer"] for told in witness.told} == {"blue", "cyan"}
    assert hanging.asked != []
