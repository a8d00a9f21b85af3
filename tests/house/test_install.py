"""install.sh as an unprivileged user, from a dist/ of two tiny wheels and without network."""

import fcntl
import os
import pty
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.house.installing import (
    BECOME_NOBODY,
    OTHERS,
    OURS,
    PROGRAM,
    ROOT,
    WRITE_CHECKSUMS,
    Machine,
    wheel,
)
from tests.stories.guide import Reader, follows


def test_a_signed_release_is_installed_and_started(machine):
    result = machine.install()

    started = f"unstoppable init --with-schedule {machine.data}\n"
    assert result.stdout == started, result.stderr
    assert "is not on your PATH" in result.stderr
    assert machine.link.resolve().parents[2] == machine.apps
    assert machine.run(str(machine.link), "status").stdout == "unstoppable status\n"


@follows("1.1 Install the program")
def test_the_program_is_installed_as_the_way_to_recovery_says(machine, sections):
    links = machine.link.parent
    machine.run("mkdir", "-p", str(links))
    environment = {"HOME": str(machine.home), "PATH": f"{links}:{machine.path}"}

    Reader(machine.checkout, environment, names={}, become=BECOME_NOBODY).follow(sections)


def test_installing_again_changes_nothing(machine):
    machine.install()
    before = machine.link.resolve()

    result = machine.install()

    assert result.returncode == 0, result.stderr
    assert machine.link.resolve() == before
    assert sorted(machine.apps.iterdir()) == [machine.apps / ".unstoppable.lock", before.parents[1]]


def swap_a_wheel(dist: Path) -> None:
    wheel(dist, "unstoppable_backups", PROGRAM.replace("unstoppable", "mallory"))


def swap_a_wheel_and_its_checksum(dist: Path) -> None:
    swap_a_wheel(dist)
    subprocess.run(("sh", "-c", WRITE_CHECKSUMS), cwd=dist, check=True)


def add_a_wheel(dist: Path) -> None:
    wheel(dist, "unstoppable_mallory", "")


def remove_the_signature(dist: Path) -> None:
    (dist / "SHA256SUMS.sig").unlink()


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (swap_a_wheel, "differs from its signed checksum"),
        (swap_a_wheel_and_its_checksum, "not signed by a key in packaging/release-signers"),
        (add_a_wheel, "differs from its signed checksum"),
        (remove_the_signature, "dist/ has no signature"),
    ],
)
def test_mallory_cannot_change_a_release(machine, tamper, sentence):
    tamper(machine.dist)

    result = machine.install()

    assert result.returncode == 1
    assert sentence in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")
    assert not machine.link.exists()
    assert machine.installed() == []


def test_a_release_signed_by_nobody_we_know_is_refused(machine):
    shutil.copy(ROOT / "packaging/release-signers", machine.checkout / "packaging")

    result = machine.install()

    assert result.returncode == 1
    assert "not signed by a key" in result.stderr


def test_of_several_engines_the_one_for_this_machine_is_taken(machine):
    machine.release("0.1.0", engines=(OTHERS, OURS))

    assert machine.install().returncode == 0


def test_a_release_without_an_engine_for_this_machine_is_refused(machine):
    machine.release("0.1.0", engines=(OTHERS,))

    result = machine.install()

    assert result.stderr.startswith(f"error: dist/ has no engine for {os.uname().machine}\n")
    assert machine.installed() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no directory given"),
        (("--purge",), "unknown option --purge"),
        (("--prefix",), "--prefix names no folder"),
        (("--prefix", "", "/etc"), "--prefix names no folder"),
        (("--prefix=", "--uninstall"), "--prefix names no folder"),
        (("--prefix", "/srv/R&D", "/etc"), "/srv/R&D/app is no place for a program"),
        (("/nowhere",), "/nowhere is not a directory"),
        (("/etc", "/usr"), "one directory, not /etc and /usr"),
        (("--uninstall", "/etc"), "--uninstall takes no directory"),
        (("/etc",), "nobody can be asked"),
        (("--program-only",), "nobody can be asked"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_happens(machine, arguments, sentence):
    result = machine.run("./install.sh", *arguments)

    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(f"error: {sentence}")
    assert result.stderr.splitlines()[1].startswith("hint: ")
    assert not machine.apps.exists()


def on_a_terminal(machine: Machine, answer: str) -> subprocess.CompletedProcess[str]:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    try:
        return machine.run("./install.sh", str(machine.data), stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def test_what_will_be_done_is_told_and_done_only_if_somebody_agrees(machine):
    refused = on_a_terminal(machine, "\n")
    nothing = (machine.apps.exists(), machine.link.exists())
    agreed = on_a_terminal(machine, "y\n")

    assert (refused.returncode, nothing) == (130, (False, False))
    for told in (refused.stderr, agreed.stderr):
        assert f"install the program in {machine.apps} and link it as {machine.link}" in told
        assert f"keep backups of {machine.data} in {machine.home}/.local/share/unstoppable" in told
        assert "have the schedule called every minute by a line in the crontab of nobody" in told
    assert agreed.returncode == 0, agreed.stderr


def test_nobody_calls_the_schedule_where_that_is_not_wanted(machine):
    assert machine.install("--no-schedule").stdout == f"unstoppable init {machine.data}\n"


def test_the_program_alone_is_installed_and_sets_nothing_up(machine):
    result = machine.run("./install.sh", "--yes", "--program-only")

    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert machine.run(str(machine.link), "status").stdout == "unstoppable status\n"


def test_an_upgrade_switches_the_link_and_keeps_the_version_before(machine):
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        machine.release(version)
        assert machine.install().returncode == 0

    assert machine.installed() == ["0.2.0", "0.3.0"]
    assert machine.link.resolve().parents[1].name.startswith("0.3.0+")


def test_everything_goes_beneath_a_prefix(machine):
    prefix = machine.home / "my own place"
    before = sorted(machine.home.iterdir())

    result = machine.install("--prefix", str(prefix))

    assert result.returncode == 0, result.stderr
    assert sorted(machine.home.iterdir()) == sorted([*before, prefix])
    app = (prefix / "bin/unstoppable").resolve().parents[1]
    assert app.parent == prefix / "app"
    assert (app / "unstoppable-prefix").read_text() == str(prefix)


def test_a_prefix_is_the_same_however_it_is_written(machine):
    prefix = machine.home / "place"
    machine.install("--prefix", f"{prefix}/")
    relative = machine.run("./install.sh", "--yes", "--prefix", "../home/place", str(machine.data))

    result = machine.run("./install.sh", "--yes", "--uninstall", f"--prefix={prefix}")

    assert relative.returncode == 0, relative.stderr
    assert result.returncode == 0, result.stderr
    assert not (prefix / "app").exists()


@pytest.mark.parametrize("action", ["--uninstall", "--program-only"])
def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(machine, action):
    precious = machine.home / "place/app/precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("x")

    result = machine.run("./install.sh", "--yes", action, "--prefix", str(machine.home / "place"))

    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {precious.parent} is not ours")
    assert precious.read_text() == "x"


def test_a_program_that_does_not_start_is_made_anew(machine):
    machine.install()
    shutil.rmtree(machine.link.resolve().parents[1] / "lib")

    refused = machine.run("./install.sh", "--yes", "--uninstall")
    mended = machine.install()

    assert refused.returncode == 1
    assert "./install.sh --program-only mends it" in refused.stderr
    assert mended.returncode == 0, mended.stderr
    assert "is broken and made anew" in mended.stderr
    assert machine.run("./install.sh", "--yes", "--uninstall").returncode == 0
    assert not machine.apps.exists()


def test_a_program_that_somebody_else_calls_is_not_taken_away(machine):
    machine.install()
    tools = machine.home / "tools"
    tools.mkdir()
    line = f"* * * * * {machine.link} --env-file /other/.env schedule tick"
    (tools / "crontab").write_text(f"#!/bin/sh\necho '{line}'\n")
    (tools / "crontab").chmod(0o755)
    machine.path = f"{tools}:{machine.path}"

    result = machine.run("./install.sh", "--yes", "--uninstall")

    assert result.returncode == 1
    assert result.stderr.splitlines()[-2] == f"error: something else calls the program: {line}"
    assert machine.link.exists()


def test_it_is_taken_away_and_what_is_worth_keeping_stays(machine):
    machine.install()
    settings = machine.home / ".config/unstoppable/.env"
    settings.parent.mkdir(parents=True)
    settings.write_text("a key")

    result = machine.run("./install.sh", "--yes", "--uninstall")
    again = machine.run("./install.sh", "--yes", "--uninstall")

    assert result.returncode == 0, result.stderr
    assert "unstoppable schedule remove" in result.stderr
    assert f"kept: settings, key and pins in {settings.parent}" in result.stderr
    assert (machine.apps.exists(), os.path.lexists(machine.link)) == (False, False)
    assert settings.read_text() == "a key"
    assert again.stderr == f"nothing is installed in {machine.apps}\n"


def test_it_is_not_taken_away_under_a_backup_that_is_going_on(machine):
    running = "def main():\n    print('{\\n  \"is_running\": true\\n}')\n"
    machine.release("0.1.0", running)
    machine.install()

    result = machine.run("./install.sh", "--yes", "--uninstall")

    assert (result.returncode, machine.link.exists()) == (1, True)
    assert result.stderr.startswith("error: a backup is going on\nhint: ")


def test_what_the_program_refuses_is_refused_before_the_installation(machine):
    refusing = (
        "import sys\ndef main():\n    print('error: another one', file=sys.stderr)\n    return 2\n"
    )
    machine.release("0.1.0", refusing)
    machine.install()
    machine.release("0.2.0")

    result = machine.install()

    assert (result.returncode, result.stderr) == (2, "error: another one\n")
    assert machine.installed() == ["0.1.0"]


def test_a_folder_of_a_server_is_for_the_program_to_look_at(machine):
    url = "ftps://alice@ftp.example.com/www"
    refuses_a_rehearsal = "    return 2 * ('--dry-run' in sys.argv)\n"
    machine.release("0.1.0", PROGRAM + refuses_a_rehearsal)

    results = [machine.install(source=url) for _ in range(2)]
    settings = machine.home / ".config/unstoppable/.env"
    settings.parent.mkdir(parents=True)
    settings.touch()
    refused = machine.install(source=url)

    for result in results:
        assert result.returncode == 0, result.stderr
        assert result.stdout == f"unstoppable init --with-schedule {url}\n"
    assert refused.returncode == 2, "with settings the program is asked before the installation"


def test_two_installations_do_not_meet(machine):
    machine.apps.mkdir(parents=True)
    with (machine.apps / ".unstoppable.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = machine.install()

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: another installation into {machine.apps} is going on")


@pytest.mark.parametrize("is_link", [True, False])
def test_a_program_of_that_name_that_is_not_ours_stays(machine, is_link):
    machine.link.parent.mkdir(parents=True)
    if is_link:
        machine.link.symlink_to("/usr/bin/true")
    else:
        machine.link.write_text("alice's")

    result = machine.install()

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {machine.link} is not ours: it leads to ")


@pytest.mark.parametrize(
    ("lacking", "sentence", "package"),
    [
        ("crontab", "nothing here can call the schedule", "apt-get install cron"),
        ("ssh-keygen", "the signature of dist/ cannot be checked", "openssh-client"),
        ("python3", "this needs python3", "apt-get install python3"),
    ],
)
def test_what_the_machine_lacks_is_named_before_anything_is_done(
    machine, lacking, sentence, package
):
    tools = machine.home / "tools"
    tools.mkdir()
    for path in Path("/usr/bin").iterdir():
        if path.name != lacking:
            (tools / path.name).symlink_to(path)
    machine.path = str(tools)

    result = machine.install()

    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {sentence}")
    assert package in result.stderr.splitlines()[-1]
    assert not machine.apps.exists()


def test_killed_at_any_moment_it_leaves_nothing_half_done(machine, kills):
    """Each attempt meets what the killed ones before it left."""
    began = time.monotonic()
    machine.install()
    longest_seconds = time.monotonic() - began
    machine.run("./install.sh", "--yes", "--uninstall")
    chance = random.Random(8)  # noqa: S311 - moments to kill at

    for _ in range(max(4, kills // 10)):
        running = machine.start("./install.sh", "--yes", str(machine.data))
        time.sleep(chance.uniform(0, longest_seconds))
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        if os.path.lexists(machine.link):
            assert machine.run(str(machine.link), "status").stdout == "unstoppable status\n"

    assert machine.install().returncode == 0
    assert machine.installed() == ["0.1.0"]
    assert list(machine.apps.glob(".new.*")) == []
