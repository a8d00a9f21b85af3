"""The daemon goes on with what was planned, whatever becomes of its settings."""

import shutil
from pathlib import Path

import pytest

from unstoppable.cli.command import Session
from unstoppable.cli.daemon import _Reloading
from unstoppable.cli.planning import Conductor
from unstoppable.cli.settings import Readings, read_all

REFUSED = "the new settings are refused; what was planned before goes on"
MANY = '[resources.www]\nsource = "/srv"\nrepository_key = "file:acme/www.key"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    places = [f"UNSTOPPABLE_{place}={tmp_path / place.lower()}\n" for place in ("HOT", "STATE")]
    path.write_text("".join([*places, f"UNSTOPPABLE_COLD={tmp_path / 'cold'}\n"]))
    key = tmp_path / "customers/acme/www.key"
    key.parent.mkdir(parents=True, mode=0o700)
    key.write_text(bytes(range(60, 124)).hex())
    file = tmp_path / "customers/acme.toml"
    file.write_text(MANY)
    for one in (path, key, file):
        one.chmod(0o600)
    return path


@pytest.fixture
def reload(path, monkeypatch):
    """Have a daemon read its settings again; returns what it takes of them."""
    session, reloading = Session(env_file=path), _Reloading()
    conductor = Conductor(session, read_all(path))
    taken: list[Readings] = []
    monkeypatch.setattr(conductor, "take", taken.append)

    def tell() -> list[Readings]:
        reloading._is_wanted = True
        assert not reloading.pass_on(session, conductor)
        return taken

    return tell


def test_settings_that_are_in_order_are_taken(path, reload):
    assert reload() == [read_all(path)]


def test_a_folder_of_customers_that_cannot_be_read_is_refused(path, reload, capsys):
    shutil.rmtree(path.with_name("customers"))
    path.with_name("customers").write_text("")

    assert reload() == []
    told = capsys.readouterr().err
    assert "cannot be read: Not a directory" in told
    assert REFUSED in told


def test_a_folder_of_customers_that_is_gone_is_refused(path, reload, capsys):
    shutil.rmtree(path.with_name("customers"))

    assert reload() == []
    told = capsys.readouterr().err
    assert "is gone" in told
    assert REFUSED in told
