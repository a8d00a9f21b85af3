"""What the narrow access key of a backup can do, and what it says of the rest."""

import json
import time

import pytest

from tests.servers.s3 import S3Server
from tests.stories.acme import Acme
from tests.stories.world import Machine


@pytest.fixture
def narrow(alice: Machine, s3: S3Server) -> Acme:
    """Alice's machine, whose settings file holds the access key of a backup."""
    # What changed within the last two seconds is not compared: it may have changed again.
    time.sleep(2.1)
    return Acme(alice, s3)


def test_it_looks_at_everything_and_asks_for_no_more_rights(narrow):
    narrow.done("backup")

    rehearsed = narrow.done("backup", "--dry-run")
    checked = narrow.run("config", "check")

    assert rehearsed.startswith(
        f"would back up {narrow.machine.data} to s3://acme-backups/default/g1"
    )
    assert (checked.returncode, checked.stdout.splitlines()[0]) == (
        0,
        f"default/default: {narrow.machine.data} is backed up to s3://acme-backups",
    ), checked.stderr
    assert "one file system" not in checked.stderr
    assert len(json.loads(narrow.done("snapshots", "--json"))["snapshots"]) == 2


def test_a_set_up_that_it_cannot_prove_says_so_and_is_proved_by_one_that_may_read(narrow):
    denied = narrow.run("init")
    proved = narrow.run("init", credential=narrow.reader)

    assert denied.returncode == 0, denied.stderr
    assert "note: not proved: the access key may not read what it stored" in denied.stderr
    assert json.loads(narrow.done("init", "--json"))["proof"]["files"] == 0
    assert proved.returncode == 0, proved.stderr
    assert "proved: a random sample of " in proved.stdout


def test_the_file_that_init_wrote_holds_the_key_it_was_given_and_says_so(alice, s3):
    s3.bucket("own")
    operator = {
        "UNSTOPPABLE_S3_ACCESS_KEY_ID": "operator",
        "UNSTOPPABLE_S3_SECRET_ACCESS_KEY": "of these tests alone",
    }
    alice.extra = {**s3.place("s3://own/kept"), **operator}

    made = alice.run("init", str(alice.data))
    alice.extra = {"UNSTOPPABLE_COLD": "s3://own/kept"}

    assert made.returncode == 0, made.stderr
    assert f"note: {alice.env_file} holds the access key: " in made.stderr
    assert alice.env_file.stat().st_mode & 0o777 == 0o600
    assert "of these tests alone" not in made.stdout + made.stderr
    alice.done("backup")
    alice.done("restore", "--to", str(alice.root / "back"))
