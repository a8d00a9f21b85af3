"""What a run is given of the environment of who plans it."""

from pathlib import Path

from unstoppable.cli.command import Session
from unstoppable.cli.planning import Conductor, _of_children
from unstoppable.cli.settings import read_all

PLACES = {"state": Path("/state"), "hot": Path("/hot")}


def test_a_run_records_and_locks_where_it_was_planned_whatever_the_settings_say(monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_STATE_FILE", "/etc/state")
    monkeypatch.setenv("UNSTOPPABLE_HOT", "/elsewhere")

    given = _of_children(PLACES)

    assert given["UNSTOPPABLE_STATE"] == "/state"
    assert given["UNSTOPPABLE_HOT"] == "/hot"
    assert "UNSTOPPABLE_STATE_FILE" not in given


def test_a_run_is_given_no_secret_and_nothing_that_nobody_knows(monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_S3_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("UNSTOPPABLE_SOURCE_PASSWORD_FILE", "/secret")
    monkeypatch.setenv("BLUE_KEY", "secret")

    given = _of_children(PLACES)

    assert "secret" not in " ".join(given.values())


def test_a_settings_file_that_is_gone_is_not_taken_for_one_that_says_nothing(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("unstoppable.cli.env_file.configuration_folder", lambda: tmp_path)
    monkeypatch.delenv("UNSTOPPABLE_ENV_FILE", raising=False)
    for name in ("HOT", "COLD", "STATE"):
        monkeypatch.setenv(f"UNSTOPPABLE_{name}", str(tmp_path / name))
    (tmp_path / "customers").mkdir(mode=0o700)
    (tmp_path / "customers/acme.toml").write_text('[resources.www]\nsource = "/srv"\n')
    file = tmp_path / ".env"
    file.write_text("UNSTOPPABLE_PARALLEL=2\n")
    file.chmod(0o600)
    conductor = Conductor(Session(), read_all(None))
    file.unlink()

    refusal = conductor.refusal(read_all(None))

    assert str(refusal) == f"there is no settings file {file}"
