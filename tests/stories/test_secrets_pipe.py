"""Secrets that whoever started a run handed over through a pipe."""

import json
import os
import subprocess
from pathlib import Path
from secrets import token_hex

import pytest

from tests.stories.confining import attempt, environment, handing_over, run
from tests.stories.world import Machine, stretch, wait_until_reading

PRIVATE = 0o400


@pytest.fixture
def keyless(nobody: Machine) -> tuple[Machine, str]:
    """A user without privilege whose settings name a file that root alone reads, and the key."""
    key = nobody.key()
    file = nobody.root / "key"
    file.write_text(key)
    file.chmod(PRIVATE)
    text = nobody.env_file.read_text()
    nobody.env_file.write_text(
        text.replace(f"UNSTOPPABLE_KEY='{key}'", f"UNSTOPPABLE_KEY_FILE={file}")
    )
    return nobody, key


def test_a_confined_run_needs_no_right_to_read_the_file_of_its_key(keyless):
    machine, key = keyless
    without = machine.run("backup")
    descriptor = handing_over({"UNSTOPPABLE_KEY": key})

    argv = machine.argv("backup", "--confined", "--secrets-fd", str(descriptor))
    stored = run(machine, *argv, descriptor=descriptor)

    assert stored.startswith("stored: ")
    assert without.returncode == 2
    assert "Permission denied" in without.stderr
    told = json.dumps(machine.asked("runs")) + without.stderr
    files = [path for path in machine.state.rglob("*") if path.is_file()]
    assert key not in told
    assert all(key.encode() not in path.read_bytes() for path in files)


def test_nobody_sees_the_secrets_of_a_run_nor_reads_its_memory(keyless):
    machine, key = keyless
    file = stretch(machine.write("large", b"x"), gibibytes=4)
    descriptor = handing_over({"UNSTOPPABLE_KEY": key})
    argv = machine.argv("-v", "backup", "--secrets-fd", str(descriptor))

    with subprocess.Popen(
        argv,
        env=environment(machine),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=(descriptor,),
    ) as running:
        wait_until_reading(running, file)
        folder = Path(f"/proc/{running.pid}")
        shown = b"".join((folder / name).read_bytes() for name in ("cmdline", "environ"))
        owner = (folder / "mem").stat().st_uid
        open_places = {os.readlink(path) for path in (folder / "fd").iterdir()}  # noqa: PTH115
        running.terminate()
        said, _ = running.communicate()

    assert key not in shown.decode() + said
    # The kernel gives it to root where it is kept from dumps and from others of the user.
    assert owner == 0
    assert f"pipe:[{os.fstat(descriptor).st_ino}]" not in open_places
    os.close(descriptor)


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        (
            {"UNSTOPPABLE_SOURCE": "/srv"},
            "UNSTOPPABLE_SOURCE in the pipe of --secrets-fd cannot be used: only secrets are",
        ),
        (
            {"UNSTOPPABLE_KEY": "s3cret"},
            "error: UNSTOPPABLE_KEY is not a key: ",
        ),
    ],
)
def test_what_is_no_secret_is_told_and_no_backup_is_made(well, secrets, told):
    descriptor = handing_over(secrets)

    argv = well.argv("-v", "backup", "--secrets-fd", str(descriptor))
    result = attempt(well, *argv, descriptor=descriptor)

    os.close(descriptor)
    assert (result.returncode, result.stdout) == (2, "")
    assert told in result.stderr
    assert "s3cret" not in result.stderr
    assert len(well.asked("runs")) == 1


@pytest.mark.parametrize("descriptor", ["0", "2", "7", "-1"])
def test_a_standard_file_or_what_is_no_pipe_is_refused(well, descriptor):
    secrets = json.dumps({"UNSTOPPABLE_KEY": well.key()})

    result = well.run("backup", f"--secrets-fd={descriptor}", typed=secrets)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(
        f"error: cannot take secrets from descriptor {descriptor}: "
        "it is no pipe that was passed on\nhint: "
    )


def test_a_key_of_another_repository_is_refused_as_ever(well):
    descriptor = handing_over({"UNSTOPPABLE_KEY": token_hex(32)})

    argv = well.argv("backup", "--secrets-fd", str(descriptor))
    result = attempt(well, *argv, descriptor=descriptor)

    os.close(descriptor)
    assert result.returncode == 12


def test_the_options_are_not_for_people(well):
    told = well.done("backup", "--help")

    assert "--accept-shrink" in told
    assert "--secrets-fd" not in told
    assert "--confined" not in told
