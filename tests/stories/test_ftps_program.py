"""A customer's folder on a server, with the program: from one line to a restore."""

import json
import os
import pty
import subprocess

import pytest

from tests.servers.ftps import Proftpd, Vsftpd
from tests.servers.ftps_server import FtpsServer, Options
from tests.stories.acme import Acme
from tests.stories.site import fill, found
from tests.stories.world import DEADLINE_SECONDS, Machine

PASSWORD = FtpsServer.password


@pytest.fixture
def ftps(each_server: FtpsServer) -> FtpsServer:
    """The program does not know how it is encrypted."""
    return each_server


@pytest.fixture
def customer(alice: Machine, ftps: FtpsServer) -> Machine:
    """Alice, who has a user on a server that she knows by its authority."""
    return known_to(alice, ftps)


def known_to(alice: Machine, server: FtpsServer) -> Machine:
    alice.extra |= {
        "UNSTOPPABLE_SOURCE_PASSWORD": PASSWORD,
        "UNSTOPPABLE_SOURCE_CA_FILE": str(server.ca_file),
        # Else a file of a test may happen to be due within its seconds.
        "UNSTOPPABLE_SOURCE_REREAD": "9999d",
    }
    return alice


def forget(alice: Machine) -> None:
    """Leave her with the settings file alone."""
    alice.extra.clear()


def test_one_line_sets_it_up_and_all_comes_back(customer, ftps):
    fill(ftps.root)

    made = customer.run("init", ftps.url)
    forget(customer)
    again = customer.done("backup")
    back = customer.restored()

    assert (made.returncode, made.stdout.count("\n")) == (0, 2), made.stderr
    stored, proved = made.stdout.splitlines()
    assert stored.startswith(f"stored: {ftps.url} (")
    assert proved.startswith(f"proved: a random sample of {ftps.url} came back from cold unchanged")
    assert "unchanged" not in again
    assert customer.last_run()["counts"]["bytes_read"] == 0
    assert found(back) == found(ftps.root)
    assert PASSWORD not in made.stdout + made.stderr


def test_a_bucket_keeps_what_a_server_has_and_its_writer_may_write_alone(alice, s3, ftps):
    fill(ftps.root)
    acme = Acme(known_to(alice, ftps), s3, ftps.url)

    acme.done("backup")
    unchanged = alice.last_run()["counts"]
    (ftps.root / "a").write_text("changed\n")
    (ftps.root / "empty").unlink()
    (ftps.root / "a.txt").rename(ftps.root / "z.txt")
    acme.done("backup")
    changed = alice.last_run()["counts"]
    back = alice.root / "back"
    acme.done("restore", "--to", str(back), credential=acme.reader)

    assert (unchanged["bytes_read"], unchanged["files_new"]) == (0, 0)
    assert (changed["files_changed"], changed["files_new"]) == (1, 1)
    assert found(back) == found(ftps.root)
    assert acme.done("check", "--read-data", "all", credential=acme.reader).startswith("whole: ")


def test_each_command_tells_of_the_server(customer, ftps):
    fill(ftps.root)
    customer.done("init", ftps.url)
    forget(customer)

    told = customer.run("init")
    checked = customer.done("config", "check")
    rehearsed = customer.done("backup", "--dry-run")
    status = customer.asked("status")

    assert "set up already" in told.stdout
    assert "proved: a random sample" in told.stdout
    assert f"{ftps.url} is backed up to" in checked
    assert rehearsed.startswith(f"would back up {ftps.url} to ")
    assert status["source"] == ftps.url


def test_a_look_at_a_server_tells_what_it_is_like(customer, ftps):
    fill(ftps.root)

    looked = customer.run("source", "check", ftps.url)
    document = customer.asked("source", "check", ftps.url)

    assert looked.returncode == 0, looked.stdout
    assert f"pin          {ftps.pin}" in looked.stdout
    assert f"TLSv{ftps.options.tls[0]}, believed by the authorities in" in looked.stdout
    assert "connections  8 of 8" in looked.stdout
    assert "read         3 files" in looked.stdout
    assert document["problems"] == []
    assert document["pin"] == ftps.pin


def test_a_pin_is_all_that_is_needed_of_a_self_signed_server(alice, serve, served):
    server = serve(Vsftpd, Options(shown="self-signed"))
    (served / "file").write_text("content\n")
    alice.extra["UNSTOPPABLE_SOURCE_PASSWORD"] = PASSWORD

    refused = alice.run("init", server.url)
    was_anything_made = alice.hot.exists() or alice.env_file.exists()
    pin = alice.done("source", "pin", server.url).strip()
    alice.extra["UNSTOPPABLE_SOURCE_PIN"] = pin
    alice.done("init", server.url)
    forget(alice)

    assert refused.returncode == 1
    assert "the server is not trusted" in refused.stderr
    assert "`unstoppable source pin` prints the pin" in refused.stderr
    assert not was_anything_made
    assert pin == server.pin
    assert alice.done("backup").startswith("stored: ")
    assert pin in alice.done("config", "show")


def test_another_key_than_the_pinned_one_ends_the_run(alice, serve, served):
    server = serve(Vsftpd)
    (served / "file").write_text("content\n")
    alice.extra |= {"UNSTOPPABLE_SOURCE_PASSWORD": PASSWORD, "UNSTOPPABLE_SOURCE_PIN": server.pin}
    alice.done("init", server.url)
    other = serve(Proftpd)
    alice.extra["UNSTOPPABLE_SOURCE"] = other.url

    run = alice.run("backup")

    assert run.returncode == 1
    assert "the server is not trusted" in run.stderr
    assert PASSWORD not in other.log.read_text()
    assert alice.last_run()["outcome"] == "failed"


def test_problems_are_told_one_by_one(alice, serve, served):
    server = serve(Proftpd, Options(connections_per_address=3))
    (served / "open").mkdir()
    (served / "closed").mkdir(mode=0o700)
    (served / "file").write_text("content\n")
    (served / "secret").write_text("content\n")
    (served / "secret").chmod(0o600)

    looked = known_to(alice, server).run("source", "check", server.url)

    assert looked.returncode == 1
    problems = [line for line in looked.stdout.splitlines() if line.startswith("problem: ")]
    assert problems[0].startswith(
        'problem: cannot list closed: cannot enter it: the server says "550'
    )
    assert problems[1].startswith(
        'problem: cannot read secret: cannot read it: the server says "550'
    )
    assert "note: it bears 3 of 8 connections at once" in looked.stderr
    assert "2 problems with ftps://" in looked.stderr


def test_a_password_is_asked_for_at_a_terminal_and_not_shown(alice, serve, served):
    server = serve(Vsftpd)
    (served / "file").write_text("content\n")
    alice.extra["UNSTOPPABLE_SOURCE_CA_FILE"] = str(server.ca_file)
    own, its = pty.openpty()

    with subprocess.Popen(
        alice.argv("init", server.url),
        env=alice.environment(),
        cwd=alice.home,
        stdin=its,
        stdout=subprocess.PIPE,
        stderr=its,
        start_new_session=True,
    ) as running:
        os.close(its)
        shown = b""
        while b"password for " not in shown:
            shown += os.read(own, 1000)
        os.write(own, f"{PASSWORD}\n".encode())
        while True:
            try:
                shown += os.read(own, 1000)
            except OSError:
                break
        stdout, _ = running.communicate(timeout=DEADLINE_SECONDS)
    os.close(own)

    assert running.returncode == 0, shown
    assert stdout.startswith(b"stored: ftps://")
    assert PASSWORD.encode() not in shown
    assert f"UNSTOPPABLE_SOURCE_PASSWORD='{PASSWORD}'" in alice.env_file.read_text()
    forget(alice)
    assert alice.done("backup").startswith("stored: ")


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("init", "URL"), "cannot log in", 1),
        (("init", "ftps://acme:hunter2@host/"), "a password does not belong there", 2),
        (("init", "ftps://host/"), "it names no user", 2),
        (("source", "check", "/srv"), "the source is the folder /srv", 2),
        (("source", "pin", "ftps://acme@127.0.0.1:1/"), "cannot connect", 1),
    ],
)
def test_mistakes_are_one_sentence_and_the_way_out(alice, vsftpd, arguments, told, code):
    known_to(alice, vsftpd).extra["UNSTOPPABLE_SOURCE_PASSWORD"] = "wrong"
    given = [vsftpd.url if argument == "URL" else argument for argument in arguments]

    run = alice.run(*given)

    assert (run.returncode, run.stdout) == (code, ""), run.stderr
    first, second = run.stderr.splitlines()
    assert first.startswith("error: ")
    assert told in first
    assert second.startswith("hint: ")
    assert "hunter2" not in run.stderr
    assert not alice.hot.exists()


def test_a_server_that_is_gone_fails_the_run_and_the_next_one_succeeds(alice, serve, served):
    server = serve(Vsftpd)
    (served / "file").write_text("content\n")
    known_to(alice, server).done("init", server.url)
    server.stop()

    run = alice.run("backup")
    checked = alice.run("config", "check")
    server.start_again()

    assert run.returncode == 1
    assert "cannot connect to" in run.stderr
    assert "hint: are host and port right" in run.stderr
    assert checked.returncode == 1
    assert json.loads(alice.run("--json", "config", "check").stdout)["faults"] == []
    assert alice.done("backup").startswith("stored: ")


def test_an_empty_server_is_noticed(alice, serve):
    server = serve(Vsftpd)
    made = known_to(alice, server).run("init", server.url)

    checked = alice.run("config", "check")

    assert (made.returncode, checked.returncode) == (3, 1)
    assert f"the source {server.url} of default/default is empty" in checked.stderr


def test_what_is_excluded_is_not_even_listed(alice, vsftpd, served):
    for number in range(20):
        (served / f"cache/{number}/{number}").mkdir(parents=True)
    (served / "kept").mkdir()
    (served / "kept/file").write_text("content\n")
    known_to(alice, vsftpd).extra["UNSTOPPABLE_EXCLUDE"] = "cache"

    alice.done("init", vsftpd.url)
    before = len(vsftpd.log.read_text())
    alice.done("backup")

    assert found(alice.restored()) == {b"kept": None, b"kept/file": b"content\n"}
    # The proof at the end of the first one looks around by itself.
    asked = vsftpd.log.read_text()[before:]
    assert "CWD /kept" in asked
    assert "CWD /cache" not in asked


def test_a_limit_that_is_reached_fails_the_run_and_is_named(alice, vsftpd, served):
    for number in range(5):
        (served / f"{number}").write_text("content\n")
    known_to(alice, vsftpd).done("init", vsftpd.url)

    alice.extra["UNSTOPPABLE_SOURCE_MAX_FILES"] = "3"
    files = alice.run("backup")
    del alice.extra["UNSTOPPABLE_SOURCE_MAX_FILES"]
    alice.extra["UNSTOPPABLE_SOURCE_MAX_BYTES"] = "20"
    size = alice.run("backup")

    assert (files.returncode, size.returncode) == (1, 1)
    assert "max_files=3" in files.stderr + files.stdout
    assert "max_bytes=20" in size.stderr + size.stdout
    assert all("incomplete" in snapshot["tags"] for snapshot in alice.snapshots()[1:])
