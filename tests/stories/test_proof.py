"""A set-up ends with a proof: files come back from cold as they are."""

import json
import os
import shutil
import time

import pytest

from tests.stories.world import Machine
from unstoppable.cli.backup import source_of
from unstoppable.cli.command import Session
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.proof import Proof, prove
from unstoppable.cli.settings import load
from unstoppable.domain.setup_errors import CameBackDifferent
from unstoppable.engine import Cancel
from unstoppable.runner.journal import Journal


@pytest.fixture
def alice(alice: Machine) -> Machine:
    """Alice's machine, whose files did not change in the second in which a run starts."""
    time.sleep(1)
    return alice


def test_a_first_backup_is_proved_and_the_next_things_are_told(alice):
    result = alice.run("init", str(alice.data))

    stored, proved = result.stdout.splitlines()
    assert stored.startswith("stored: ")
    amount = "2 files, 100.0 KiB"
    assert proved == (
        f"proved: a random sample of {alice.data} came back from cold unchanged ({amount})"
    )
    sheet, restore, schedule = result.stderr.splitlines()[-3:]
    assert sheet.startswith("next 1: print ")
    assert restore.startswith("next 2: `unstoppable restore --to FOLDER`")
    assert schedule.startswith("next 3: `unstoppable schedule install`")


def test_a_proof_in_json_stands_beside_the_run(alice):
    found = alice.asked("init", str(alice.data))

    assert (found["outcome"], found["exit_code"]) == ("succeeded", 0)
    assert found["proof"] == {"files": 2, "bytes": 102_409, "different": [], "error": None}


def test_what_is_excluded_or_no_file_is_not_asked_of_a_backup(alice):
    (alice.data / "link").symlink_to("photo.bin")
    os.mkfifo(alice.data / "pipe")

    found = alice.run("init", str(alice.data), "--json", settings={"UNSTOPPABLE_EXCLUDE": "*.bin"})

    assert json.loads(found.stdout)["proof"]["files"] == 1


def test_a_source_without_a_file_proves_nothing_and_says_so(root):
    machine = Machine(root)
    (machine.data / "empty").mkdir()

    result = machine.run("init", str(machine.data))

    assert result.returncode == 0, result.stderr
    assert f"not proved: {machine.data} held no file to compare" in result.stdout


@pytest.mark.parametrize("harm", ["content", "mode", "time"])
def test_a_file_that_comes_back_different_is_a_failure(alice, harm):
    """As bad memory would have it: what was stored is not what lies there."""
    other = alice.root / "other"
    shutil.copytree(alice.data, other)
    photo = other / "photo.bin"
    if harm == "content":
        kept = photo.stat()
        photo.write_bytes(bytes(kept.st_size))
        os.utime(photo, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    elif harm == "mode":
        photo.chmod(0o600)
    else:
        os.utime(photo, ns=(1, 1))
    time.sleep(1)
    alice.done("init", str(alice.data))
    configuration = load(alice.env_file).with_source(other)

    found = proof_of(configuration)

    assert found is not None
    assert isinstance(found.error, CameBackDifferent)
    assert found.document["different"] == [str(photo)]
    assert found.tell(Session()) == 1


def test_a_backup_that_cannot_be_read_back_is_not_called_proved(alice):
    alice.done("init", str(alice.data))
    configuration = load(alice.env_file)
    shutil.rmtree(alice.repository / "data")

    found = proof_of(configuration)

    assert found is not None
    assert found.error is not None
    assert found.tell(Session(is_json=True)) == 1


def test_a_file_that_a_backup_lost_is_a_failure_too(alice):
    other = alice.root / "other"
    shutil.copytree(alice.data, other)
    (other / "lost").write_text("x")
    time.sleep(1)
    alice.done("init", str(alice.data))

    found = proof_of(load(alice.env_file).with_source(other))

    assert found is not None
    assert found.document["different"] == [str(other / "lost")]


def test_a_proof_that_was_cancelled_says_so(well, capsys):
    cancel = Cancel()
    cancel.set()

    found = proof_of(load(well.env_file), cancel)

    assert found is not None
    assert found.tell(Session()) == 130
    assert capsys.readouterr().out.startswith("not proved: cancelled; ")


def proof_of(configuration: Configuration, cancel: Cancel | None = None) -> Proof | None:
    """Return the proof of the last run."""
    record = Journal(configuration.settings.state).runs(configuration.resource, limit=1)[0]
    return prove(configuration, record, source_of(configuration), cancel or Cancel())


def test_a_second_set_up_proves_again(alice):
    alice.done("init", str(alice.data))
    shutil.rmtree(alice.repository / "data")

    result = alice.run("init", str(alice.data))

    assert result.returncode == 1
    assert result.stdout.startswith("set up already: ")
    assert "no sample of it could be restored" in result.stderr


def test_a_second_set_up_makes_no_other_backup(well):
    before = well.asked("runs")

    result = well.run("init", str(well.data))

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"set up already: {well.data} was backed up at ")
    assert well.asked("runs") == before
