from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.cli import env_file
from unstoppable.cli.settings import load, read
from unstoppable.cli.settings_model import NAMES
from unstoppable.domain import errors
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.pins import Pins
from unstoppable.domain.setup_errors import KeyLost
from unstoppable.runner import pins_file

KEY = bytes(range(100, 132)).hex()


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".env"


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return path


def test_the_environment_wins_over_the_file(path, monkeypatch):
    write(path, "UNSTOPPABLE_COLD=/file", "UNSTOPPABLE_HOT=/hot")
    monkeypatch.setenv("UNSTOPPABLE_COLD", "/environment")

    found = load(path)

    assert found.settings.cold == Path("/environment")
    assert found.given["UNSTOPPABLE_COLD"].origin == "the environment"
    assert found.given["UNSTOPPABLE_HOT"].origin == f"{path} line 2"


def test_a_file_of_the_environment_wins_over_a_value_of_the_file(path, tmp_path, monkeypatch):
    write(path, "UNSTOPPABLE_COLD=/file")
    monkeypatch.setenv("UNSTOPPABLE_COLD_FILE", str(write(tmp_path / "cold", "/environment")))

    assert load(path).settings.cold == Path("/environment")


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("UNSTOPPABLE_SORCE=/srv", "UNSTOPPABLE_SOURCE"),
        ("UNSTOPABLE_KEY=1", "UNSTOPPABLE_KEY"),
        ("unstoppable_hot=/hot", "UNSTOPPABLE_HOT"),
        ("UNSTOPPABLE_EXCLUDES=x", "UNSTOPPABLE_EXCLUDE"),
        ("UNSTOPPABLE_COLD_FIL=x", "UNSTOPPABLE_COLD"),
    ],
)
def test_a_typo_is_told_with_its_place_and_the_nearest_name(path, line, nearest):
    write(path, "# mine", line)

    with pytest.raises(errors.SettingUnknown) as raised:
        load(path)

    assert str(raised.value) == f"unknown setting {line.split('=')[0]} in {path} line 2"
    assert f"did you mean {nearest}?" in raised.value.hint


def test_a_typo_in_the_environment_is_told(path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_KEI", "x")

    with pytest.raises(errors.SettingUnknown, match="in the environment"):
        load(write(path))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("UNSTOPPABLE_HOT=ftps://bob@example.org/www", "only UNSTOPPABLE_SOURCE may be"),
        ("UNSTOPPABLE_SOURCE=ftps://example.org/www", "it names no user"),
        ("UNSTOPPABLE_SOURCE=sftp://bob@example.org/www", "'sftp' is not spoken here"),
        ("UNSTOPPABLE_SOURCE_PIN=sha256/x", "is not a pin"),
        ("UNSTOPPABLE_SOURCE_REREAD=0d", "is not a number such as 30d"),
        ("UNSTOPPABLE_SOURCE_REREAD=100001d", "is more than 100000d"),
        ("UNSTOPPABLE_MAX_RUNTIME=99999999999h", "is more than 100000h"),
        ("UNSTOPPABLE_SOURCE_CONNECTIONS=33", "from 1 to 32"),
        ("UNSTOPPABLE_SOURCE_BANDWIDTH=1 KiB/s", "less than 8 KiB/s"),
        ("UNSTOPPABLE_HOT=s3://bucket/prefix", "only UNSTOPPABLE_COLD may be one"),
        ("UNSTOPPABLE_COLD=s3://Bucket", "'Bucket' is no name of a bucket"),
        ("UNSTOPPABLE_COLD=s3://bucket/a/../b", "'..' in the prefix is not made of"),
        ("UNSTOPPABLE_S3_ENDPOINT=http://s3.example.com", "is not encrypted"),
        ("UNSTOPPABLE_S3_REGION=EU", "'EU' is not a region"),
        ("UNSTOPPABLE_S3_ADDRESSING=dns", "neither path nor virtual-host"),
        ("UNSTOPPABLE_S3_ACCESS_KEY_ID='a b'", "not the name of an access key"),
        ("UNSTOPPABLE_S3_CONNECTIONS=65", "not a number from 1 to 64"),
        ("UNSTOPPABLE_S3_CONNECTIONS=0", "not a number from 1 to 64"),
        ("UNSTOPPABLE_S3_BANDWIDTH=fast", "not a bandwidth such as 20 MiB/s"),
        ("UNSTOPPABLE_SOURCE=data", "not a path that starts with /"),
        ("UNSTOPPABLE_SOURCE=", "it is empty"),
        ("UNSTOPPABLE_CUSTOMER=Acme", "names are 1 to 20 of"),
        ("UNSTOPPABLE_RESOURCE=../x", "names are 1 to 20 of"),
        ("UNSTOPPABLE_MAX_SHRINK=101%", "percentage"),
        ("UNSTOPPABLE_MAX_SHRINK=half", "percentage"),
        ("UNSTOPPABLE_ONE_FILE_SYSTEM=perhaps", "neither yes nor no"),
        ("UNSTOPPABLE_KEY_FILE=relative", "not a path that starts with /"),
        ("UNSTOPPABLE_SCHEDULE='17 25 * * *'", "'17 25 * * *' is no schedule: hour is wrong"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_place(path, line, reason):
    with pytest.raises(errors.SettingInvalid) as raised:
        load(write(path, line))

    name = line.split("=")[0]
    assert str(raised.value).startswith(f"{name} in {path} line 1 cannot be used: ")
    assert reason in str(raised.value)


def test_hot_and_cold_are_two_folders(path):
    with pytest.raises(errors.SettingInvalid, match="the same folder"):
        load(write(path, "UNSTOPPABLE_HOT=/x", "UNSTOPPABLE_COLD=/x/y/.."))


@pytest.mark.parametrize(
    "lines",
    [
        ("UNSTOPPABLE_HOT=/a", "UNSTOPPABLE_HOT=/a"),
        ("UNSTOPPABLE_HOT",),
        ("UNSTOPPABLE_HOT='/a",),
        ("= x",),
    ],
)
def test_a_line_that_says_nothing_or_twice_the_same_is_an_error(path, lines):
    with pytest.raises(errors.EnvFileInvalid):
        load(write(path, *lines))


def test_a_value_and_its_file_in_one_place_are_an_error(path, tmp_path):
    other = write(tmp_path / "other", "/x")

    with pytest.raises(errors.SettingInvalid, match="both set"):
        load(write(path, "UNSTOPPABLE_HOT=/a", f"UNSTOPPABLE_HOT_FILE={other}"))


def test_a_key_put_where_its_file_belongs_is_not_told(path):
    with pytest.raises(errors.SettingInvalid) as raised:
        load(write(path, f"UNSTOPPABLE_KEY_FILE={KEY}"))

    assert KEY not in str(raised.value) + raised.value.hint


def test_every_fault_of_the_settings_is_found_at_once(path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_MAX_SHRINK", "half")
    write(path, "UNSTOPPABLE_SORCE=/srv", "nothing", "UNSTOPPABLE_KEY=hunter2", "# a comment",
          "UNSTOPPABLE_SCHEDULE=daily", "UNSTOPPABLE_COLD=/cold", "UNSTOPPABLE_COLD=/other",
          "UNSTOPPABLE_HOT=/cold")  # fmt: skip

    found = read(path)

    told = [str(fault) for fault in found.faults]
    for part in ("_SORCE", "line 2 of", "_KEY is not", "'daily'", "line 7 of", "same", "'half'"):
        assert sum(part in sentence for sentence in told) == 1, (part, told)
    assert len(told) == 7
    assert found.unknown == {
        f"UNSTOPPABLE_{name}" for name in ("MAX_SHRINK", "KEY", "SCHEDULE", "HOT")
    }
    assert found.configuration.settings.max_shrink == 50
    with pytest.raises(type(found.faults[0])):
        load(path)


def test_a_settings_file_that_cannot_be_read_leaves_all_settings_unknown(path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_COLD", "/cold")
    write(path, "UNSTOPPABLE_HOT=/hot").chmod(0o666)

    found = read(path)

    assert [type(fault) for fault in found.faults] == [errors.FileUnsafe]
    assert found.unknown == set(NAMES) - {"UNSTOPPABLE_COLD"}


def test_what_only_this_environment_sets_is_known(path, monkeypatch):
    monkeypatch.setenv("UNSTOPPABLE_COLD", "/cold")
    monkeypatch.setenv("UNSTOPPABLE_HOT", "/hot")
    monkeypatch.setenv("UNSTOPPABLE_STATE", "/state")
    write(path, "UNSTOPPABLE_COLD=/cold", "UNSTOPPABLE_HOT=/other")

    assert load(path).only_in_environment == ("UNSTOPPABLE_HOT", "UNSTOPPABLE_STATE")


def test_both_keys_are_an_error(path):
    with pytest.raises(errors.SettingInvalid, match="is set as well"):
        load(write(path, f"UNSTOPPABLE_KEY={KEY}", f"UNSTOPPABLE_REPOSITORY_KEY={KEY * 2}"))


def test_a_key_is_never_shown(path):
    found = load(write(path, f"UNSTOPPABLE_KEY={KEY}"))

    assert KEY not in repr(found)
    assert found.key is not None
    assert found.key.kind is KeyKind.ROOT
    assert found.key.secret.resolve() == KEY


def test_a_bad_key_is_an_error_that_does_not_tell_it(path):
    with pytest.raises(errors.KeyInvalid) as raised:
        load(write(path, "UNSTOPPABLE_KEY=hunter2"))

    assert "hunter2" not in str(raised.value) + raised.value.hint


def test_a_file_of_a_key_is_read_when_a_run_needs_it(path, tmp_path):
    found = load(write(path, f"UNSTOPPABLE_KEY_FILE={tmp_path}/key"))

    assert found.key is not None
    with pytest.raises(errors.SecretUnreadable):
        found.key.secret.resolve()


def test_globs_are_split_by_commas_and_line_breaks(path):
    found = load(write(path, "UNSTOPPABLE_EXCLUDE='cache/**, *.tmp\n\nnode_modules'"))

    assert found.settings.exclude == ("cache/**", "*.tmp", "node_modules")


def test_defaults_of_a_user_follow_the_xdg_folders(monkeypatch, tmp_path):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/is/ignored")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    found = load(None)

    assert found.env_file == tmp_path / ".config/unstoppable/.env"
    assert found.pins_file == tmp_path / ".config/unstoppable/pins.json"
    assert found.settings.cold == tmp_path / "data/unstoppable/cold"


def test_defaults_of_root(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert env_file.locate(None) == Path("/etc/unstoppable/.env")
    assert env_file.data_folder() == Path("/var/lib/unstoppable")


def test_a_file_that_was_named_must_be_there(path, monkeypatch):
    with pytest.raises(errors.EnvFileMissing):
        load(path)
    monkeypatch.setenv("UNSTOPPABLE_ENV_FILE", str(path))
    with pytest.raises(errors.EnvFileMissing):
        load(None)

    assert load(path, may_be_missing=True).given == {}


def test_what_lies_in_the_current_folder_is_never_read(tmp_path, monkeypatch):
    write(tmp_path / ".env", "UNSTOPPABLE_COLD=/mallory")
    home = tmp_path / "home"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    assert load(None).given == {}


@pytest.mark.parametrize(("mode", "remedy"), [(0o604, "chmod o-rwx"), (0o660, "chmod go-w")])
def test_settings_that_others_reach_are_refused(path, mode, remedy):
    write(path).chmod(mode)

    with pytest.raises(errors.FileUnsafe) as raised:
        load(path)

    assert raised.value.hint == f"{remedy} {path}"


def test_a_folder_where_others_could_put_another_file_is_refused(path, tmp_path):
    write(path)
    tmp_path.chmod(0o777)

    with pytest.raises(errors.FileUnsafe) as raised:
        load(path)

    assert raised.value.hint == f"chmod go-w {tmp_path}"


def test_a_folder_named_as_the_settings_file_is_told(tmp_path):
    with pytest.raises(errors.EnvFileUnreadable):
        load(tmp_path)


def test_settings_that_are_no_text_are_told_with_their_line(path):
    write(path).write_bytes(b"# one\n# \xff\n")

    with pytest.raises(errors.EnvFileInvalid, match=r"^line 2 of "):
        load(path)


@pytest.mark.parametrize("place", ["hot", "cold", "state"])
def test_a_source_inside_our_own_folders_is_refused(path, place, tmp_path):
    ours = tmp_path / "ours"
    found = load(write(path, f"UNSTOPPABLE_SOURCE={ours}/a", f"UNSTOPPABLE_{place.upper()}={ours}"))

    with pytest.raises(errors.SourceInsideRepository, match=place.upper()):
        _ = found.source


def test_a_setting_that_is_needed_and_missing_is_told(path):
    found = load(write(path))

    with pytest.raises(errors.SettingMissing, match="UNSTOPPABLE_SOURCE is not set"):
        _ = found.source
    with pytest.raises(errors.SettingMissing, match="UNSTOPPABLE_KEY is not set"):
        found.installation()


def test_a_key_that_a_pinned_repository_was_made_with_is_typed_from_its_sheet(path):
    pins = Pins(
        repository_id="1" * 64, config_sha256="2" * 64, key_fingerprint="3" * 64, generation=1
    )
    found = load(write(path))
    pins_file.add(found.pins_file, found.resource, pins)

    with pytest.raises(KeyLost, match="default/default has a repository made with it") as raised:
        found.installation()
    assert "type it from the recovery sheet" in raised.value.hint


VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=30
)


@given(values=st.dictionaries(st.sampled_from(["A", "B", "C"]), VALUES))
def test_what_is_written_is_read_again(values):
    found, faults = env_file._parse(env_file.render(values), Path(".env"))

    assert faults == []
    assert {name: line.value for name, line in found.items()} == values
