from pathlib import Path

import pytest

from unstoppable.cli.init import _keep_settings, _new_key, _settings_to_keep, _source
from unstoppable.cli.settings import load
from unstoppable.domain import errors
from unstoppable.domain.outlook_errors import SettingsIncomplete
from unstoppable.domain.s3 import S3Cold

KEY = bytes(range(100, 132)).hex()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "configuration/.env"


def test_settings_that_appeared_meanwhile_are_never_overwritten_nor_gone_on_with(path, tmp_path):
    before = load(path, may_be_missing=True)
    path.parent.mkdir(mode=0o700)
    path.write_text("UNSTOPPABLE_KEY=of another init")

    with pytest.raises(errors.EnvFileAppeared):
        _keep_settings(before, tmp_path, _new_key(before))

    assert path.read_text() == "UNSTOPPABLE_KEY=of another init"


def test_what_is_kept_is_read_again_and_is_private(path, tmp_path):
    before = load(path, may_be_missing=True)
    key = _new_key(before)
    source = tmp_path / "it's $HOME # \\ data"

    _keep_settings(before, source, key)

    assert path.stat().st_mode & 0o777 == 0o600
    assert load(path).settings.source == source
    assert load(path).key == key


def test_a_key_of_the_environment_is_not_written_down(path, tmp_path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_KEY", KEY)
    monkeypatch.setenv("UNSTOPPABLE_CUSTOMER", "alice")
    before = load(path, may_be_missing=True)
    assert before.key

    kept = _settings_to_keep(before, tmp_path, before.key)

    assert KEY not in "".join(kept.values())
    assert kept["UNSTOPPABLE_CUSTOMER"] == "alice"


def test_a_file_that_holds_the_key_is_named(path, tmp_path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_KEY_FILE", "/run/secrets/key")
    before = load(path, may_be_missing=True)
    assert before.key

    assert _settings_to_keep(before, tmp_path, before.key)["UNSTOPPABLE_KEY_FILE"] == (
        "/run/secrets/key"
    )


def test_a_settings_file_without_a_key_or_source_is_not_completed(path, tmp_path):
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    before = load(path)

    with pytest.raises(SettingsIncomplete, match="UNSTOPPABLE_KEY"):
        _new_key(before)
    with pytest.raises(SettingsIncomplete, match="UNSTOPPABLE_SOURCE"):
        _source(before, tmp_path)


def test_only_a_directory_can_be_set_up(path, tmp_path):
    (tmp_path / "file").touch()
    before = load(path, may_be_missing=True)

    for name in ("file", "nothing"):
        with pytest.raises(errors.DirectoryMissing):
            _source(before, tmp_path / name)


def test_a_directory_is_kept_by_its_real_name(path, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")

    assert _source(load(path, may_be_missing=True), tmp_path / "link") == tmp_path / "data"


def test_a_directory_that_no_settings_file_can_name_is_refused(path, tmp_path):
    folder = Path(f"{tmp_path}/\udcff")
    folder.mkdir()

    with pytest.raises(errors.DirectoryUnwritable):
        _source(load(path, may_be_missing=True), folder)


def test_a_second_directory_needs_settings_of_its_own(path, tmp_path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_SOURCE", "/srv/data")
    before = load(path, may_be_missing=True)

    with pytest.raises(errors.SourceConflict):
        _source(before, tmp_path)


S3 = ("UNSTOPPABLE_S3_ACCESS_KEY_ID", "UNSTOPPABLE_S3_SECRET_ACCESS_KEY")


def test_the_access_key_of_a_bucket_is_written_down_or_its_file_named(path, tmp_path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_COLD", "s3://acme/x")
    monkeypatch.setenv("UNSTOPPABLE_S3_ENDPOINT", "https://s3.example.org")
    for name, value in zip(S3, ("writer", "of/acme"), strict=True):
        monkeypatch.setenv(name, value)
    before = load(path, may_be_missing=True)

    _keep_settings(before, tmp_path, _new_key(before))

    assert path.stat().st_mode & 0o777 == 0o600
    for name in ("UNSTOPPABLE_COLD", "UNSTOPPABLE_S3_ENDPOINT", *S3):
        monkeypatch.delenv(name)
    found = load(path)
    assert isinstance(found.cold, S3Cold)
    assert (str(found.cold), found.cold.access.endpoint) == (
        "s3://acme/x",
        "https://s3.example.org",
    )
    assert found.cold.access_key_id.resolve() == "writer"
    assert found.cold.secret_access_key.resolve() == "of/acme"

    monkeypatch.setenv(f"{S3[1]}_FILE", "/run/secrets/s3")
    kept = _settings_to_keep(load(path, may_be_missing=True), tmp_path, _new_key(before))
    assert kept[f"{S3[1]}_FILE"] == "/run/secrets/s3"
    assert S3[1] not in kept
