"""A run that gave up what it does not need stores the same as any other."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.servers.ftps import Vsftpd
from tests.servers.s3 import OPERATOR
from tests.stories.confining import ABI, attempt, back_up_confined, environment, run
from tests.stories.site import fill, found
from tests.stories.world import Machine, contents, differences, stretch, wait_until_reading
from unstoppable.domain.confinement import NOT_CONFINED
from unstoppable.domain.errors import Fault
from unstoppable.domain.names import ResourceName
from unstoppable.engine import Needs, confine

HERE = Path(__file__).parent
AUTOMOUNT = HERE / "automount.py"
OLDER_LANDLOCK = HERE / "older_landlock.py"
WITHOUT_LANDLOCK = HERE / "without_landlock.py"
RACY_SECONDS = 2.1
"""A file that is younger gets the moment of its listing into its node."""


def packs(machine: Machine) -> set[str]:
    """Return the names of the packs in cold: a tree that differs would need a new one."""
    return {name for name in contents(machine.cold) if "/data/" in name}


def furnish(folder: Path) -> None:
    """Make one of everything that a folder may hold."""
    for number in range(40):
        path = folder / f"many/{number % 5}/file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 300))
        os.chown(path, number % 3 * 47, 65534)
    (folder / "link").symlink_to("/etc/shadow")
    (folder / "gone").symlink_to("nowhere")
    os.link(folder / "many/0/file 5", folder / "second name")
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "device", 0o600 | 0o020000, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "socket"))
    for name in ("user.a", "trusted.a"):
        os.setxattr(folder / "many", name, b"\x00\xff")
    subprocess.run(("setfacl", "-m", "u:1234:rw", folder / "second name"), check=True)
    (folder / "closed").mkdir(mode=0)
    (folder / os.fsdecode(b"latin \xe9")).write_text("one byte each\n")


def test_a_folder_is_stored_as_it_is_without_it(alice):
    alice.done("init", str(alice.data))
    furnish(alice.data)
    time.sleep(RACY_SECONDS)

    stored = back_up_confined(alice)
    after = packs(alice)
    alice.done("backup")

    assert stored.startswith(f"stored: {alice.data} (")
    assert packs(alice) == after
    assert differences(alice.data, alice.restored("--at", alice.snapshots()[1]["snapshot"])) == ""
    counts = [found["counts"] for found in alice.asked("runs")]
    assert counts[0]["files_total"] == counts[1]["files_total"] > 45
    assert counts[0]["files_new"] == counts[0]["files_changed"] == 0


def test_what_is_mounted_in_a_folder_is_stored_as_well(apart):
    alice = apart.machine
    alice.done("init", str(alice.data))
    apart.disk("www", "one", "two/three")
    apart.memory("cache", "four")
    apart.disk("www/two/inner", "five")
    furnish(apart.seen(alice.data / "www"))
    time.sleep(RACY_SECONDS)

    back_up_confined(alice)
    after = packs(alice)
    alice.done("backup")

    assert packs(alice) == after
    back = alice.restored("--at", alice.snapshots()[1]["snapshot"])
    assert differences(apart.seen(alice.data), back) == ""
    assert (back / "www/two/inner/five").read_text() == "five\n"


def test_a_source_that_is_mounted_when_it_is_needed_is_read(apart):
    alice = apart.machine
    disk = alice.root / "disk"
    disk.mkdir()
    (disk / "letter").write_text("alice's\n")
    alice.done("init", str(alice.data))
    argv = (*alice.entered, sys.executable, str(AUTOMOUNT), str(disk), str(alice.data))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as waiting:
        try:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "waits\n"
            stored = run(alice, *alice.argv("backup", "--confined", "--accept-shrink"))
        finally:
            waiting.kill()
    assert stored.startswith(f"stored: {alice.data} (1 file, 8 B)")
    assert (alice.restored() / "letter").read_text() == "alice's\n"


def test_what_is_wrong_in_hot_is_set_aside_as_ever(well):
    config = well.hot / "default/default/g1/config"
    config.write_bytes(b"mallory's")

    result = attempt(well, *well.argv("backup", "--confined"))

    assert result.returncode == 0
    assert "note: " in result.stderr
    assert list(well.hot.rglob("aside/*"))
    assert config.read_bytes() != b"mallory's"


def test_folders_of_ours_that_were_lost_are_made_again(well):
    shutil.rmtree(well.hot)
    shutil.rmtree(well.state)

    result = attempt(well, *well.argv("backup", "--confined"))

    assert (result.returncode, "filled from cold" in result.stderr) == (0, True)
    assert contents(well.hot / "default/default/g1").keys() > {"config"}
    assert [found["outcome"] for found in well.asked("runs")] == ["succeeded"]


def test_a_place_behind_a_link_is_one_of_its_own(well):
    for name in ("hot", "cold", "state", "data"):
        folder = well.root / name
        folder.rename(well.root / f"real-{name}")
        folder.symlink_to(well.root / f"real-{name}")

    assert run(well, *well.argv("backup", "--confined")).startswith("stored: ")


@pytest.mark.parametrize(("lost", "code"), [("data", 1), ("cold", 10), ("home/configuration", 2)])
def test_what_is_missing_is_told_as_ever(well, lost, code):
    shutil.rmtree(well.root / lost)

    plain, confined = (
        attempt(well, *well.argv("backup", *options)) for options in ((), ("--confined",))
    )

    assert confined.returncode == code
    assert (confined.returncode, confined.stderr) == (plain.returncode, plain.stderr)
    assert confined.stderr.startswith("error: ")


def test_another_run_of_the_customer_is_heard_of_as_ever(well):
    file = stretch(well.write("large", b"x"), gibibytes=4)
    running = well.start("backup", to_be_killed=True)
    wait_until_reading(running, file)

    result = attempt(well, *well.argv("backup", "--confined"))

    running.kill()
    running.communicate()
    assert result.returncode == 11
    assert f"by pid {running.pid}" in result.stderr


def test_a_rehearsal_is_confined_as_well(well):
    told = run(well, *well.argv("backup", "--confined", "--dry-run"))

    assert told.startswith("would back up ")


def test_a_bucket_is_reached_and_its_certificate_believed(alice, s3_with_tls, monkeypatch):
    server, certificate = s3_with_tls
    alice.extra |= server.place("s3://acme") | OPERATOR.settings
    alice.extra |= {"UNSTOPPABLE_S3_CA_FILE": str(certificate.authority)}
    server.bucket("acme")
    alice.done("init", str(alice.data))
    alice.write("letters/carol.txt", "dear carol\n")
    named = back_up_confined(alice)
    del alice.extra["UNSTOPPABLE_S3_CA_FILE"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))

    of_the_environment = back_up_confined(alice)

    assert named.startswith(f"stored: {alice.data} (3 files")
    assert of_the_environment.startswith(f"stored: {alice.data} (3 files")
    assert differences(alice.data, alice.restored()) == ""


def test_a_server_is_read_on_whatever_ports_it_chooses(alice, serve):
    server = serve(Vsftpd)
    fill(server.root)
    password = alice.root / "password"
    password.write_text(server.password)
    password.chmod(0o600)
    alice.extra |= {
        "UNSTOPPABLE_SOURCE_PASSWORD_FILE": str(password),
        "UNSTOPPABLE_SOURCE_CA_FILE": str(server.ca_file),
    }
    alice.done("init", server.url)
    (server.root / "new").write_bytes(os.urandom(2_000_000))
    time.sleep(RACY_SECONDS)

    stored = back_up_confined(alice)

    assert stored.startswith(f"stored: {server.url} (")
    assert found(alice.restored()) == found(server.root)


def test_a_process_with_threads_is_refused_and_stays_as_it_is():
    done = threading.Event()
    waiting = threading.Thread(target=done.wait, daemon=True)
    waiting.start()
    needs = Needs(read=(), write=(), connect_ports=None)

    with pytest.raises(Fault, match="confines itself while it has one thread, and this one has"):
        confine(needs, ResourceName(customer="alice", resource="www"))

    done.set()
    waiting.join()
    assert Path(__file__).read_text()


def test_it_tells_what_holds_to_whoever_asks(well):
    told = {2: "files", 4: "files, TCP", 6: "files, TCP, signals"}

    for version in sorted(told.keys() & range(ABI + 1)):
        argv = (sys.executable, str(OLDER_LANDLOCK), str(version), *well.argv("-v", "backup"))
        result = attempt(well, *argv, "--confined")
        assert result.stderr == f"note: confined by Landlock {version}: {told[version]}, children\n"
        assert result.stdout.startswith("stored: ")


def test_a_version_that_does_not_suffice_is_told_as_none(well):
    argv = (sys.executable, str(OLDER_LANDLOCK), "1", *well.argv("backup", "--confined"))

    result = attempt(well, *argv)

    assert result.stdout.startswith("stored: ")
    assert result.stderr == f"note: {NOT_CONFINED}\n"


@pytest.mark.parametrize("error", ["ENOSYS", "EOPNOTSUPP"])
def test_on_a_kernel_that_cannot_do_it_the_backup_is_made_and_says_so(well, error):
    argv = (sys.executable, str(WITHOUT_LANDLOCK), error, *well.argv("backup", "--confined"))

    result = attempt(well, *argv)

    assert (result.returncode, result.stdout[:8]) == (0, "stored: ")
    assert result.stderr == f"note: {NOT_CONFINED}\n"


def test_it_is_confined_before_it_reads(well):
    file = stretch(well.write("large", b"x"), gibibytes=4)
    argv = well.argv("backup", "--confined")

    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, env=environment(well), stderr=quiet, text=True) as running:
        wait_until_reading(running, file)
        process = Path(f"/proc/{running.pid}")
        status = (process / "status").read_text()
        kept = {path.readlink() for path in (process / "fd").iterdir()}
        running.terminate()

    assert "\nNoNewPrivs:\t1\n" in status
    # Else the kernel would forget it when memory is short, and refuse the one that it makes anew.
    assert process in kept
