"""What needs no server: the settings of a bucket, and who asks for which of them."""

import pytest

from tests.stories.world import Machine

BUCKET = "s3://acme-backups/x"
NOWHERE = "http://127.0.0.1:1"
ACCESS_KEY = {
    "UNSTOPPABLE_S3_ACCESS_KEY_ID": "writer",
    "UNSTOPPABLE_S3_SECRET_ACCESS_KEY": "of-acme-alone",
}


@pytest.fixture
def moved(well: Machine) -> Machine:
    """Alice's machine, whose settings name a bucket now, on a server that is not there."""
    kept = [
        line
        for line in well.env_file.read_text().splitlines()
        if not line.startswith("UNSTOPPABLE_COLD")
    ]
    told = {"UNSTOPPABLE_COLD": BUCKET, "UNSTOPPABLE_S3_ENDPOINT": NOWHERE, **ACCESS_KEY}
    lines = [*kept, *(f"{name}='{value}'" for name, value in told.items())]
    well.env_file.write_text("\n".join([*lines, ""]))
    well.extra = {"UNSTOPPABLE_COLD": BUCKET}
    return well


def without(machine: Machine, name: str) -> None:
    """Take a setting out of the file."""
    lines = machine.env_file.read_text().splitlines()
    machine.env_file.write_text(
        "\n".join([*(line for line in lines if not line.startswith(name)), ""])
    )


def faults(machine: Machine) -> list[str]:
    found: list[dict[str, str]] = machine.asked("config", "check")["faults"]
    return [fault["kind"] for fault in found]


def test_what_opens_no_bucket_asks_for_no_access_key(moved):
    without(moved, "UNSTOPPABLE_S3_SECRET_ACCESS_KEY")

    for command in (("status",), ("runs",), ("key", "fingerprint"), ("schedule", "show")):
        moved.done(*command)
    result = moved.run("snapshots")

    assert result.returncode == 2
    assert result.stderr.startswith(
        f"error: UNSTOPPABLE_S3_SECRET_ACCESS_KEY is not set, and cold is {BUCKET}\n"
    )
    assert str(moved.env_file) in result.stderr
    assert f"cold         {BUCKET}\n" in moved.done("status")


def test_the_settings_are_shown_without_the_secret(moved):
    shown = moved.asked("config", "show")

    assert shown["UNSTOPPABLE_COLD"]["value"] == BUCKET
    assert shown["UNSTOPPABLE_S3_ENDPOINT"]["value"] == NOWHERE
    assert shown["UNSTOPPABLE_S3_CONNECTIONS"]["value"] == "8"
    assert shown["UNSTOPPABLE_S3_SECRET_ACCESS_KEY"]["value"] == "set, not shown"
    for arguments in (("config", "show"), ("-v", "snapshots"), ("-v", "config", "check")):
        result = moved.run(*arguments)
        assert "of-acme-alone" not in result.stdout + result.stderr


def test_config_check_tells_what_is_missing_and_what_is_not_there(moved):
    assert faults(moved) == ["BucketFailed"]
    told = moved.run("config", "check")
    assert f"default/default: {moved.data} is backed up to {BUCKET}\n" in told.stdout
    assert "hint: is UNSTOPPABLE_S3_ENDPOINT right" in told.stderr

    without(moved, "UNSTOPPABLE_S3_ACCESS_KEY_ID")
    assert faults(moved) == ["CredentialMissing"]

    moved.extra["UNSTOPPABLE_S3_CA_FILE"] = str(moved.root / "none.pem")
    assert faults(moved) == ["SettingInvalid"], "what depends on it is not guessed"


def test_what_nobody_reads_is_a_note(well):
    well.extra = ACCESS_KEY

    result = well.run("config", "check")

    assert result.returncode == 0, result.stderr
    assert (
        f"note: cold is a folder, nobody reads {', '.join(sorted(ACCESS_KEY))}\n" in result.stderr
    )


def test_the_schedule_is_called_with_an_access_key_of_the_settings_file_alone(moved):
    shown = moved.done("schedule", "install", "--dry-run")
    assert BUCKET not in shown

    without(moved, "UNSTOPPABLE_S3_SECRET_ACCESS_KEY")
    missing = moved.run("schedule", "install", "--dry-run")
    assert missing.returncode == 2
    assert "UNSTOPPABLE_S3_SECRET_ACCESS_KEY is not set, and cold is " in missing.stderr

    moved.extra.update(ACCESS_KEY)
    elsewhere = moved.run("schedule", "install", "--dry-run")
    assert elsewhere.returncode == 2
    assert "UNSTOPPABLE_S3_SECRET_ACCESS_KEY from the environment would be" in elsewhere.stderr
