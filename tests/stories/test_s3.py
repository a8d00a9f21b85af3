"""Cold in a bucket: what is backed up there comes back, whoever may do what."""

import json
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.servers.s3 import OPERATOR
from tests.stories.acme import BUCKET, COLD, REPOSITORY
from tests.stories.guide import DOCUMENT
from tests.stories.mounting import NOTHING_INSTALLED
from tests.stories.world import Machine, contents, differences

SEED = 6


def test_what_the_strict_writer_stores_comes_back_as_it_was(acme):
    acme.machine.write("letters/carol.txt", "dear carol\n")

    stored = acme.done("backup")
    back = acme.machine.root / "back"
    acme.done("restore", "--exact", "--to", str(back), credential=acme.reader)

    assert stored.startswith(f"stored: {acme.machine.data} (3 files")
    assert differences(acme.machine.data, back) == ""
    assert COLD in acme.done("status")
    assert acme.done("check", "--read-data", "all", credential=acme.reader).startswith("whole: ")
    names = acme.objects()
    assert {f"{REPOSITORY}/config", f"{REPOSITORY}/unstoppable.json"} <= names.keys()
    assert not [name for name in names if not name.startswith(f"{REPOSITORY}/")]


def test_the_writer_cannot_read_what_it_stored(acme):
    result = acme.run("restore", "--to", str(acme.machine.root / "back"))

    assert result.returncode == 1
    assert "403 AccessDenied" in result.stderr
    assert "hint: has the access key the rights of its role?" in result.stderr


def test_what_hot_lost_is_read_anew_once_until_a_reader_rebuilds_it(acme):
    shutil.rmtree(acme.machine.hot)

    lost = acme.run("backup")
    after = acme.run("backup")
    acme.done("hot", "rebuild", credential=acme.reader)
    rebuilt = acme.run("backup")

    for result in (lost, after, rebuilt):
        assert result.returncode == 0, result.stderr
    assert "`unstoppable hot rebuild` with one that may read mends that" in lost.stderr
    assert "`unstoppable hot rebuild`" in after.stderr
    assert "hot rebuild" not in rebuilt.stderr
    assert acme.run("check", credential=acme.reader).returncode == 0


def test_everything_comes_back_on_a_new_machine_with_the_sheet(acme, root):
    sheet = (acme.machine.env_file.parent / "recovery-sheet.txt").read_text()
    elsewhere = root / "elsewhere"
    elsewhere.mkdir()
    new = Machine(elsewhere)
    _, _, commands = sheet.partition("line: owners, devices and all attributes come back as well.")
    commands = commands.partition("It tells a repository")[0].replace("KEY_ID=ID", "KEY_ID=reader")
    typed = "\n".join(re.findall(r"(?m)^ +\d+: (.*)$", sheet)) + "\n"
    # What a person ends with Ctrl-D comes from files here.
    commands = commands.replace("cat >recovery-key", "cat groups >recovery-key")
    commands = commands.replace("cat >s3-secret", "cat secret >s3-secret")
    (new.home / "groups").write_text(typed)
    (new.home / "secret").write_text(acme.reader.secret + "\n")
    program = Path(new.argv()[0]).parent
    environment = new.environment()
    environment["PATH"] = f"{program}:{environment['PATH']}"
    for name in ("UNSTOPPABLE_ENV_FILE", "UNSTOPPABLE_COLD"):
        del environment[name]

    done = subprocess.run(
        (*NOTHING_INSTALLED, "sh", "-ec", commands),
        env=environment,
        cwd=new.home,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert contents(new.home / "back") == contents(acme.machine.data)
    assert OPERATOR.secret not in sheet


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"UNSTOPPABLE_S3_SECRET_ACCESS_KEY": "wrong"}, "403 SignatureDoesNotMatch"),
        ({"UNSTOPPABLE_S3_ACCESS_KEY_ID": "stranger"}, "403 InvalidAccessKeyId"),
        ({"UNSTOPPABLE_COLD": "s3://nobodys-bucket"}, "404 NoSuchBucket"),
        ({"UNSTOPPABLE_S3_ENDPOINT": "http://127.0.0.1:1"}, "the server cannot be reached"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_one_sentence_and_the_way_out(acme, settings, told):
    environment = {**acme.machine.environment(), **acme.server.place(COLD)}

    result = subprocess.run(
        acme.machine.argv("backup"),
        env={**environment, **acme.writer.settings, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert told in result.stderr
    assert f"{told}` | " in DOCUMENT.read_text(), "docs/recovery.md tells what to do"
    assert len(result.stderr.splitlines()) == 2
    assert result.stderr.startswith("error: storage of default/default failed: cannot ")
    assert "\nhint: " in result.stderr
    assert acme.writer.secret not in result.stderr


def test_a_server_that_comes_back_is_waited_for(acme):
    acme.machine.write("large", bytes(5_000_000))
    acme.server.stop()

    gone = acme.run("backup")
    acme.server.start_again()
    back = acme.run("backup")

    assert gone.returncode == 1
    assert "the server cannot be reached" in gone.stderr
    assert back.returncode == 0
    assert acme.run("check", "--read-data", "all", credential=acme.reader).returncode == 0


def test_a_server_is_trusted_by_the_certificates_of_its_owner_alone(alice, s3_with_tls):
    server, certificate = s3_with_tls
    server.bucket(BUCKET)
    alice.extra = {**server.place(COLD), **OPERATOR.settings}

    untrusted = alice.run("init", str(alice.data))
    alice.extra["UNSTOPPABLE_S3_CA_FILE"] = str(certificate.authority)
    checked = alice.run("bucket", "create", settings={"UNSTOPPABLE_ENV_FILE": ""})
    alice.done("init", str(alice.data))
    alice.done("restore", "--exact", "--to", str(alice.root / "back"))

    assert untrusted.returncode == 1
    assert "the server is not trusted: invalid peer certificate: UnknownIssuer" in untrusted.stderr
    assert "needs UNSTOPPABLE_S3_CA_FILE" in untrusted.stderr
    assert checked.returncode == 3, checked.stderr
    assert differences(alice.data, alice.root / "back") == ""


@pytest.mark.parametrize("minutes", [20, -20])
def test_a_clock_that_is_wrong_is_told(acme, minutes):
    faketime = ("faketime", "-f", f"{minutes:+}m")
    machine = acme.machine

    result = subprocess.run(
        (*faketime, *machine.argv("backup")),
        env={**machine.environment(), **acme.server.place(COLD), **acme.writer.settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert "403 RequestTimeTooSkewed" in result.stderr
    assert "the clock of this machine, or the server's, is wrong" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: set the clock")


def test_a_bucket_without_a_credential_asks_for_one(alice):
    alice.extra = {"UNSTOPPABLE_COLD": COLD}

    result = alice.run("init", str(alice.data))

    assert result.returncode == 2
    assert "error: UNSTOPPABLE_S3_ACCESS_KEY_ID is not set, and cold is s3://" in result.stderr
    assert not alice.env_file.exists()


def documented() -> list[list[str]]:
    """Return the lists of requests of docs/formats.md, in their order."""
    text = (Path(__file__).parents[2] / "docs/formats.md").read_text()
    return [block.split("\n") for block in re.findall(r"```requests\n(.*?)\n```", text, re.DOTALL)]


def test_the_requests_are_those_that_are_documented(alice, s3):
    making, new_file, unchanged, restore = documented()
    s3.bucket(BUCKET)
    alice.extra = {**s3.place(COLD), **OPERATOR.settings}
    # What changed within the last two seconds is read again the next time.
    time.sleep(2.1)

    asked = s3.requests(lambda: alice.done("init", str(alice.data)))
    # What opening takes is asked for all at once.
    assert (sorted(asked[:2]), asked[2 : len(making)]) == (sorted(making[:2]), making[2:])
    restored = s3.requests(lambda: alice.done("restore", "--to", str(alice.root / "back")))
    assert sorted(restored) == sorted(restore)
    asked = s3.requests(lambda: alice.done("backup"))
    assert (sorted(asked[:4]), asked[4:]) == (sorted(unchanged[:4]), unchanged[4:])
    alice.write("new", "something new\n")
    asked = s3.requests(lambda: alice.done("backup"))
    # Packs are written, and looked for, several at a time.
    assert sorted(asked) == sorted(new_file)
    assert (asked[4:5], asked[-2:]) == (new_file[4:5], new_file[-2:])
    assert asked.index("PUT default/g1/index/ID") == 7


def test_a_backup_into_a_bucket_killed_at_any_moment_harms_nothing(acme, kills):
    chance = random.Random(SEED)  # noqa: S311
    began = time.monotonic()
    acme.done("backup")
    longest_seconds = time.monotonic() - began

    for number in range(kills):
        acme.machine.write(f"{number % 7}", chance.randbytes(chance.randrange(2_000_000)))
        before = acme.objects()
        with acme.started("backup") as running:
            time.sleep(chance.uniform(0, longest_seconds))
            running.kill()
        assert before.items() <= acme.objects().items()
        assert acme.run("check", "--read-data", "all", credential=acme.reader).returncode == 0

    acme.done("backup")
    back = acme.machine.root / "back"
    acme.done("restore", "--exact", "--to", str(back), credential=acme.reader)
    assert differences(acme.machine.data, back) == ""
    runs = json.loads(acme.done("runs", "--last", "999", "--json"))
    assert {run["outcome"] for run in runs} <= {"succeeded", "failed"}
    assert all(run["message"].startswith("killed: ") for run in runs if run["message"])
