"""Others are told of runs: reporters, ping URLs and people by mail, and no run waits for them."""

import signal
import sqlite3
import time
from contextlib import closing

import pytest

from tests.servers import infisical as faults
from tests.servers.postbox import PASSWORD, USER
from tests.stories.hoster import complaints, wait_until
from tests.stories.test_docs import commands_of, typed
from tests.stories.world import stretch, wait_until_reading

NEVER = "0 0 29 2 *"
SECRET = "5ecret-of-the-ping"


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

    assert (told.returncode, complaints(told)) == (0, [])
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


@pytest.fixture
def telling(well, witness, postbox):
    """Alice's machine, which tells everybody there can be."""
    secret = well.root / "ping-url"
    secret.write_text(f"{witness.address}/{SECRET}\n")
    secret.chmod(0o600)
    password = well.root / "smtp-password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    well.extra |= {
        "UNSTOPPABLE_REPORTERS": witness.records,
        "UNSTOPPABLE_PING_URL_FILE": str(secret),
        "UNSTOPPABLE_SMTP_SERVER": postbox.address,
        "UNSTOPPABLE_SMTP_USER": USER,
        "UNSTOPPABLE_SMTP_PASSWORD_FILE": str(password),
        "UNSTOPPABLE_MAIL_TO": "ops@host.example",
        "UNSTOPPABLE_NOTIFY_CA_FILE": str(witness.certificate.authority),
    }
    return well


def pinged(witness):
    return [path.removeprefix(f"/{SECRET}") for path in witness.paths() if SECRET in path]


def test_people_are_told_when_a_backup_begins_to_fail_and_when_it_is_over(
    telling, witness, postbox
):
    gone = telling.data.with_name("gone")
    telling.done("backup")
    telling.data.rename(gone)
    told = [telling.run("backup") for _ in range(2)]
    gone.rename(telling.data)
    told.append(telling.run("backup"))

    assert [one.returncode for one in told] == [1, 1, 0]
    assert [path for path in pinged(witness) if path != "/start"] == ["", "/fail", "/fail", ""]
    assert postbox.subjects() == [
        "backups: default/default needs you",
        "backups: default/default is in order again",
    ]
    [(sender, recipients, mail), _] = postbox.mails
    assert (sender, recipients) == ("ops@host.example", ["ops@host.example"])
    assert "the last run failed: " in mail.get_content()
    everything = "".join(one.stdout + one.stderr for one in told)
    assert SECRET not in everything
    assert PASSWORD not in everything


def test_a_long_run_is_told_when_it_begins(telling, witness):
    stretch(telling.write("large"), gibibytes=2)
    running = telling.start("backup")
    wait_until(lambda: "/start" in pinged(witness))
    is_going_on = running.poll() is None
    running.communicate(timeout=60)

    assert is_going_on
    assert pinged(witness)[-1] == ""


def test_what_the_planner_runs_is_told_by_the_planner(hoster, witness, postbox):
    """The run itself is another process, which gave up its rights and gets no such secret."""
    hoster.add("acme", www=NEVER)
    path = hoster.customers / "acme.toml"
    more = 'ping_url = "env:ACME_PING"\nmail_to = ["it@acme.example"]\n'
    path.write_text(more + path.read_text())
    hoster.machine.extra |= {
        "ACME_PING": f"{witness.address}/{SECRET}",
        "UNSTOPPABLE_SMTP_SERVER": postbox.address,
        "UNSTOPPABLE_NOTIFY_CA_FILE": str(witness.certificate.authority),
    }

    told = hoster.machine.run("schedule", "tick")

    assert (told.returncode, complaints(told)) == (0, [])
    assert pinged(witness)[-1] == ""
    assert postbox.mails == []


def test_a_ping_url_that_cannot_be_read_fails_no_backup(hoster):
    hoster.add("acme", www=NEVER)
    path = hoster.customers / "acme.toml"
    path.write_text('ping_url = "env:ACME_PING"\n' + path.read_text())

    told = hoster.machine.run("schedule", "tick")

    assert told.returncode == 0
    assert hoster.runs("acme/www") == [("succeeded", "")]
    assert told.stderr.count("error: ") == 1
    assert "the ping URL of acme/www is not reached: ping_url in acme.toml is env:" in told.stderr


def test_status_and_check_tell_what_waits_since_when_and_why(telling, witness, postbox):
    telling.done("backup")
    whole = telling.done("status")
    witness.status = lambda _path, _body: 403
    postbox.refusal = "554 no"
    telling.data.rename(telling.data.with_name("gone"))
    told = telling.run("backup")
    waiting = telling.done("status")
    document = telling.asked("status")["undelivered"]
    checked = telling.run("config", "check")
    again = telling.run("backup")

    assert "told         others, of every run\n" in whole
    lines = [line[13:] for line in waiting[waiting.index("undelivered") :].splitlines()]
    assert [line.partition(" since ")[0].strip() for line in lines] == [
        f"1 record of default for {witness.records}",
        "pings for the ping URL of default/default",
        "1 mail for ops@host.example",
    ]
    assert [one["cause"] for one in document] == [
        "it answers 403",
        "it answers 403",
        "it answers 554 to the mail",
    ]
    assert "note: undelivered: 1 record of default for" in checked.stderr
    assert "refuses the records of default: it answers 403" in told.stderr
    assert "refuses the records" not in again.stderr
    assert SECRET not in waiting + str(document) + checked.stderr + told.stderr


def test_notify_test_tries_each_way_and_tells_which_took_it(telling, witness, postbox):
    rehearsed = telling.done("notify", "test", "--dry-run")
    before = (len(witness.asked), len(postbox.mails))
    whole = telling.run("notify", "test")
    postbox.refusal = "554 no"
    witness.status = lambda path, _body: 404 if SECRET in path else 202
    lacking = telling.run("notify", "test")
    document = telling.asked("notify", "test")

    assert before == (0, 0)
    assert rehearsed.count("\n") == 4
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "3 ways: 3 took it, 0 did not\n" in whole.stdout
    assert postbox.subjects() == ["backups: a test of mail"]
    assert pinged(witness) == ["/log"]
    assert lacking.returncode == 1
    assert "3 ways: 1 took it, 2 did not\n" in lacking.stdout
    assert [(one["by"], one["is_taken"], one["result"]) for one in document] == [
        ("record", True, "it took the last record once more"),
        ("ping", False, "it answers 404"),
        ("mail", False, "it answers 554 to the mail"),
    ]
    assert SECRET not in rehearsed + whole.stdout + lacking.stdout + lacking.stderr


def test_where_nobody_is_told_there_is_nothing_to_try(well):
    told = well.run("notify", "test")

    assert told.returncode == 2
    assert "nobody is told of runs: UNSTOPPABLE_REPORTERS" in told.stderr
    assert "\ntold" not in well.done("status")


def test_the_commands_of_the_readme_work_one_after_the_other(telling):
    commands = commands_of("Who is told")

    assert len(commands) > 2
    for command in commands:
        typed(telling, command)
