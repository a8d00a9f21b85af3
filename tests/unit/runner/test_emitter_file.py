"""The keys of emitters: made once, private, and never replaced."""

import os
from pathlib import Path

import pytest

from tests.unit.runner.record import record
from unstoppable.domain.record_errors import EmitterMissing, EmitterUnusable
from unstoppable.runner.emitter_file import find, key_file, require
from unstoppable.runner.journal import Journal


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path / "state", "alice")


def test_a_key_is_made_once_and_for_its_owner_alone(key, tmp_path):
    emitter = require(tmp_path / "state", "alice").emitter

    assert require(tmp_path / "state", "alice").emitter == emitter
    assert find(tmp_path / "state", "alice").emitter == emitter
    assert require(tmp_path / "state", "bob").emitter != emitter
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in key.parent.iterdir()) == ["alice.key", "bob.key"]


def test_asking_for_a_key_makes_none(tmp_path):
    with pytest.raises(EmitterMissing, match=r"alice has no key for its records: there is no .*"):
        find(tmp_path, "alice")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\xff" * 65, b"0" * 10, b"0" * 99_999, b"\0" * 64])
def test_a_broken_key_is_told_and_stays_as_it_is(key, tmp_path, content):
    key.parent.mkdir(parents=True)
    key.write_bytes(content)
    key.chmod(0o600)

    for ask in (require, find):
        with pytest.raises(EmitterUnusable, match=f"cannot sign records of alice: {key}: it "):
            ask(tmp_path / "state", "alice")

    assert key.read_bytes() == content


@pytest.mark.parametrize(
    ("mode", "why"), [(0o622, "others may write it"), (0o604, "others may read it")]
)
def test_a_key_that_others_can_reach_is_refused(key, tmp_path, mode, why):
    require(tmp_path / "state", "alice")
    key.chmod(mode)

    with pytest.raises(EmitterUnusable, match=why):
        require(tmp_path / "state", "alice")


def test_a_key_of_somebody_else_is_refused(key, tmp_path):
    require(tmp_path / "state", "alice")
    os.chown(key, 65534, 65534)

    with pytest.raises(EmitterUnusable, match="it belongs to another user"):
        require(tmp_path / "state", "alice")


def test_a_folder_or_a_dead_link_in_its_place_is_refused_and_not_replaced(key, tmp_path):
    key.mkdir(parents=True)
    with pytest.raises(EmitterUnusable, match="Is a directory"):
        require(tmp_path / "state", "alice")
    key.rmdir()
    key.symlink_to("/nowhere/at/all")

    with pytest.raises(EmitterUnusable, match="No such file"):
        require(tmp_path / "state", "alice")

    assert key.is_symlink()


def test_where_no_key_can_be_made_runs_are_recorded_all_the_same(tmp_path):
    (tmp_path / "emitters").touch()
    journal = Journal(tmp_path)

    with pytest.raises(EmitterUnusable, match="Not a directory"):
        journal.write(record("a"))

    assert journal.books("alice").owed == 1
    (tmp_path / "emitters").unlink()
    journal.write(record("b"))
    assert [kept.run for kept in journal.envelopes("alice")] == ["a", "b"]


def test_a_key_that_somebody_else_made_meanwhile_is_taken(tmp_path, monkeypatch):
    made = require(tmp_path, "alice").emitter
    monkeypatch.setattr("unstoppable.runner.emitter_file.is_there", lambda _state, _customer: False)

    assert require(tmp_path, "alice").emitter == made


def test_a_name_that_is_too_long_for_the_disk_is_told():
    with pytest.raises(EmitterUnusable, match="File name too long"):
        require(Path("x" * 300), "alice")
