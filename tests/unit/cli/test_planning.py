"""What a run is given of the environment of who plans it."""

from pathlib import Path

from unstoppable.cli.planning import _of_children

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
