"""docs/recovery.md is followed word by word, and everything comes back."""

import json
import re
import shutil
import stat
import subprocess
import sys

import pytest

from tests.house import test_install
from tests.house.test_vectors import VECTORS, about
from tests.interop import recovery_with_peers
from tests.stories import guide
from tests.stories.guide import follows
from tests.stories.mounting import NOTHING_INSTALLED
from tests.stories.world import contents, differences, is_untouched

FRESH = "1.2 Say what the sheet says"


@follows(
    FRESH,
    "1.3 Is it the right repository?",
    "1.4 Look, and rehearse",
    "1.5 Bring it back",
    "1.6 Go on with backups",
)
def test_everything_comes_back_on_a_fresh_machine_which_goes_on_with_backups(lost, sections):
    before = contents(lost.machine.cold)

    shown = lost.reader().follow(sections)

    assert differences(lost.newest, lost.machine.data) == ""
    assert is_untouched(before, lost.machine.cold)
    assert lost.secret not in shown
    assert json.loads(lost.machine.pins_file.read_text())["resources"]["alice/files"] == lost.pins
    assert len(lost.machine.snapshots()) == 4
    assert stat.S_IMODE((lost.machine.env_file.parent / "key").stat().st_mode) == 0o600


@follows("1.8 When cold lies in a bucket")
def test_everything_comes_back_from_a_bucket(lost_but_for_a_bucket, sections):
    lost = lost_but_for_a_bucket

    shown = lost.reader().follow(sections)

    assert differences(lost.newest, lost.machine.data) == ""
    assert lost.secret not in shown
    assert lost.typed_first.strip() not in shown
    assert stat.S_IMODE((lost.work / "s3-secret").stat().st_mode) == 0o600


@follows(FRESH, "3.1 With this program")
def test_one_file_comes_back(lost, sections):
    lost.reader().follow(sections)

    assert (lost.work / "bob.txt").read_text() == "dear bob\n"
    assert differences(lost.newest / "letters", lost.place("back")) == ""


@follows(FRESH, "4.1 What is damaged, and what it harms", "4.2 Take what is whole")
def test_what_is_whole_comes_back_where_something_is_damaged(lost, sections):
    damage(lost.largest_pack())

    lost.reader().follow(sections)

    assert not (lost.place("back") / "photo.bin").exists()
    assert [line.split()[-1] for line in left_over(lost)] == ["photo.bin"]
    assert (lost.place("older-back") / "photo.bin").read_bytes() == (
        lost.older / "photo.bin"
    ).read_bytes()


def left_over(lost):
    """Return what is missing of the files of the newest snapshot."""
    return [
        line for line in differences(lost.newest, lost.place("back")).splitlines() if "+" in line
    ]


def damage(path):
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(changed)


@follows("4.3 Let the next backup store it anew")
def test_a_backup_stores_anew_what_was_damaged(story, sections):
    damage(story.largest_pack())
    story.work.mkdir()

    story.reader().follow(sections)

    for snapshot, kept in ((story.newest_id, story.newest), (story.older_id, story.older)):
        assert differences(kept, story.machine.restored("--at", snapshot)) == ""


@follows("4.4 The file config is gone or damaged")
def test_a_repository_without_its_config_is_completed(story, sections):
    damage(story.machine.repository / "config")
    assert story.machine.run("snapshots").returncode == 12

    story.reader().follow(sections)

    assert differences(story.older, story.machine.restored("--at", story.older_id)) == ""
    assert story.machine.run("backup").returncode == 0


@follows(FRESH, "4.5 The same on a fresh machine")
def test_a_repository_without_its_config_is_completed_on_a_fresh_machine(lost, sections):
    (lost.machine.repository / "config").unlink()

    lost.reader().follow(sections)

    assert differences(lost.newest, lost.machine.data) == ""
    assert differences(lost.older, lost.machine.restored("--at", lost.older_id)) == ""


@follows("5.1 The pins")
def test_pins_are_written_anew(story, sections):
    before = story.machine.pins_file.read_bytes()
    story.machine.pins_file.unlink()

    story.reader().follow(sections)

    assert story.machine.pins_file.read_bytes() == before


@follows("5.2 The key")
def test_the_key_is_put_back(story, sections):
    text = story.machine.env_file.read_text()
    without = [line for line in text.splitlines(keepends=True) if "_KEY=" not in line]
    story.machine.env_file.write_text("".join(without))

    shown = story.reader().follow(sections)

    assert story.secret not in shown
    assert story.machine.run("backup").returncode == 0


@follows(FRESH, "5.3 The settings file")
def test_the_settings_are_written_anew(story, sections):
    story.machine.env_file.unlink()

    story.reader().follow(sections)

    assert story.machine.run("backup").returncode == 0
    assert story.machine.last_run()["outcome"] == "succeeded"
    assert len(story.machine.asked("runs")) == 3


@follows("5.4 Hot")
def test_hot_is_filled_from_cold(story, sections):
    shutil.rmtree(story.machine.hot)

    story.reader().follow(sections)

    assert "filled" not in story.machine.run("backup").stderr


@follows("5.5 State")
def test_the_journal_begins_anew(story, sections):
    shutil.rmtree(story.machine.state)

    story.reader().follow(sections)

    assert len(story.machine.asked("runs")) == 1


@follows(FRESH, "6. Somebody broke in")
def test_after_a_break_in_an_older_snapshot_and_a_new_key_are_the_way(lost, sections):
    lost.reader().follow(sections)

    assert contents(lost.place("older-back")) == contents(lost.older)
    assert lost.machine.key() != lost.secret
    assert (lost.place("new") / "default/default/g1/config").exists()


@follows("2.1 Derive the key")
def test_plain_python_derives_the_key_of_the_sheet(lost, sections):
    shown = lost.reader().follow(sections)

    assert f"fingerprint {lost.pins['key_fingerprint']}\n" in shown
    for name in ("secret", "masterkey.json", "repository-key"):
        assert stat.S_IMODE((lost.work / name).stat().st_mode) == 0o600
    settings = {"UNSTOPPABLE_REPOSITORY_KEY_FILE": str(lost.work / "repository-key")}
    environment = {
        name: value
        for name, value in lost.machine.environment(settings).items()
        if name != "UNSTOPPABLE_ENV_FILE"
    }
    argv = lost.machine.argv("restore", "--exact", "--to", str(lost.place("back")))
    subprocess.run((*NOTHING_INSTALLED, *argv), env=environment, check=True, capture_output=True)
    assert differences(lost.newest, lost.place("back")) == ""


def derive(folder, secret, vector):
    """Run the document's program on a secret that was typed; returns what it did."""
    ((name, script),) = guide.SECTIONS["2.1 Derive the key"].files
    (folder / name).write_text(script)
    (folder / "secret").write_text(secret + "\n")
    birth = (vector["customer"], vector["resource"], str(vector["generation"]))
    argv = (sys.executable, "-I", name, "secret", *birth)
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("typed", ["root_secret", "repository_key"])
@pytest.mark.parametrize("vector", VECTORS["derivation"], ids=about)
def test_the_document_derives_every_frozen_key(vector, typed, tmp_path):
    shown = derive(tmp_path, vector[typed], vector).stdout

    assert shown == f"fingerprint {vector['fingerprint']}\n"
    assert (tmp_path / "repository-key").read_text() == vector["repository_key"]
    key = json.loads((tmp_path / "masterkey.json").read_text())
    assert recovery_with_peers.as_hex(key) == vector["repository_key"]


@pytest.mark.parametrize("change", [0, 1])
def test_a_secret_of_another_length_is_told(change, tmp_path):
    vector = VECTORS["derivation"][0]

    result = derive(tmp_path, vector["root_secret"][2:] + "0000" * change, vector)

    assert result.returncode == 1
    assert result.stderr == f"this has {62 + 4 * change} digits, not 64 (or 128)\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["derive.py", "secret"]


def test_cold_may_be_mounted_read_only_until_backups_go_on(lost):
    # A mount of its own that nobody else sees, and that goes with the shell.
    cold, back = lost.machine.cold, lost.place("back")
    script = f"""set -e
        mount --bind {cold} {cold} && mount -o remount,bind,ro {cold}
        ! touch {cold}/new
        unstoppable check --read-data all
        unstoppable restore --exact --to {back}"""
    key = {"UNSTOPPABLE_KEY": lost.secret, "UNSTOPPABLE_COLD": str(cold), **lost.machine.extra}
    environment = {**lost.reader().environment, **key}

    subprocess.run(("unshare", "--mount", "sh", "-c", script), env=environment, check=True)

    assert differences(lost.newest, back) == ""


def test_links_within_the_document_lead_to_its_headings():
    text = guide.DOCUMENT.read_text()
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    anchors = {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


WRONG = [
    ("`UNSTOPPABLE_KEY is not a key`", 2, {"UNSTOPPABLE_KEY": "cut short"}),
    ("`… is not safe`", 2, {"UNSTOPPABLE_KEY_FILE": "readable"}),
    ("`there is no repository in …`", 10, {"UNSTOPPABLE_COLD": "/mnt/nothing"}),
    ("`there is no repository in …`", 10, {"UNSTOPPABLE_CUSTOMER": "alicia"}),
    ("`the key … does not open the repository`", 12, {"UNSTOPPABLE_KEY": "mistyped"}),
]


@pytest.mark.parametrize(("says", "code", "wrong"), WRONG, ids=lambda case: str(case)[:40])
def test_what_can_go_wrong_is_told_as_the_table_says(lost, says, code, wrong):
    readable = lost.machine.root / "readable"
    readable.write_text(lost.secret)
    digits = lost.secret
    theirs = {
        "readable": str(readable),
        "cut short": f"{digits[:32]} {digits[32:-1]}",
        "mistyped": digits[::-1],
    }
    wrong = {name: theirs.get(value, value) for name, value in wrong.items()}
    key = {} if any("_KEY" in name for name in wrong) else {"UNSTOPPABLE_KEY": lost.secret}
    environment = lost.machine.environment({**key, **wrong})
    del environment["UNSTOPPABLE_ENV_FILE"]

    result = subprocess.run(
        lost.machine.argv("snapshots"), env=environment, capture_output=True, text=True, check=False
    )

    assert result.returncode == code
    assert all(part in result.stderr for part in says.strip("`").split("…"))
    assert f"| {says} | {code} |" in guide.DOCUMENT.read_text()


def test_every_block_of_the_document_is_followed_by_a_test():
    assert test_install.__doc__, "it follows the section on installing"
    assert set(guide.SECTIONS) == guide.FOLLOWED


def test_every_name_that_stands_for_another_is_replaced(story):
    told = set(guide.stand_ins())

    assert len(told) > 15
    assert told == set(story.reader().names)


def test_the_peers_parts_run_in_the_full_check():
    assert "tests/interop/recovery_with_peers.py" in (guide.ROOT / "check").read_text()
