"""The recovery sheet: written once, for its owner alone, and enough to get everything back."""

import json
import random
import re
import signal
import stat
import subprocess
import time
from html import escape
from pathlib import Path

import pytest
import unstoppable_engine

from tests.stories.mounting import NOTHING_INSTALLED
from tests.stories.sheets import NAMES, paper, sheets
from tests.stories.world import PROGRAM, Machine, contents, differences

SEED = 20240229


def commands(text: str) -> str:
    """Return what the sheet says to type into a shell."""
    return "umask" + text.partition("\numask")[2].partition("\n\n")[0]


@pytest.fixture
def named(alice: Machine) -> Machine:
    """Alice's machine with names of its own and a cold folder that a shell would take apart."""
    alice.cold = alice.root / "cold of 'büro' $HOME"
    alice.repository = alice.cold / "acme/www/g1"
    alice.extra |= {"UNSTOPPABLE_CUSTOMER": "acme", "UNSTOPPABLE_RESOURCE": "www"}
    alice.done("init", str(alice.data))
    return alice


def test_init_writes_the_sheet_for_alice_alone_and_says_what_to_do_with_it(alice):
    result = alice.run("init", str(alice.data))

    page, text = sheets(alice)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (page, text)} == {0o600}
    assert result.stderr.startswith(
        f"note: the key is on the recovery sheet {page}\n"
        "note: without its key nothing can be restored, and nobody else has it\n"
    )
    assert alice.key() not in result.stdout + result.stderr
    pins = json.loads(alice.pins_file.read_text())["resources"]["default/default"]
    for path in (page, text):
        for fact in ("repository_id", "key_fingerprint"):
            assert pins[fact] in path.read_text()


@pytest.mark.parametrize("machine", ["well", "named"])
def test_the_sheet_and_cold_are_enough_on_a_fresh_machine(machine, request, root):
    alice: Machine = request.getfixturevalue(machine)
    text = alice.env_file.with_name("recovery-sheet.txt").read_text()
    typed = "".join(f"{number}: {group.upper()}\n" for number, group in paper(alice).items())
    fresh = root / "fresh"
    fresh.mkdir()
    alice.home.rename(root / "burnt")
    alice.hot.rename(root / "burnt too")

    result = subprocess.run(
        (*NOTHING_INSTALLED, "bash", "-euc", commands(text)),
        env={"HOME": str(fresh), "PATH": f"{Path(PROGRAM).parent}:/usr/bin:/bin"},
        cwd=fresh,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    repository, key = re.findall(
        r"^  (?:repository|key) +([0-9a-f]{64})$", result.stderr, re.MULTILINE
    )
    assert f"repository  {repository}\n" in text
    assert f"fingerprint {key}\n" in text
    assert differences(alice.data, fresh / "back") == ""


def test_a_typing_error_is_named_by_its_group(well, root):
    typed = paper(well)
    typed[6] = ("1" if typed[6][0] == "0" else "0") + typed[6][1:]
    file = root / "key"
    file.write_text("\n".join(typed.values()))
    file.chmod(0o600)
    settings = {"UNSTOPPABLE_COLD": str(well.cold), "UNSTOPPABLE_KEY_FILE": str(file)}
    well.env_file.write_text("")

    result = well.run("snapshots", settings=settings)

    assert result.returncode == 2
    assert result.stderr.startswith("error: UNSTOPPABLE_KEY is not a key: group 6 is mistyped")


def test_the_sheet_of_a_repository_key_holds_that_key_and_says_so(well, root):
    birth = unstoppable_engine.Birth("default", "default", 1)
    repository_key = unstoppable_engine.derive_repository_key(bytes.fromhex(well.key()), birth)
    well.env_file.write_text(f"UNSTOPPABLE_REPOSITORY_KEY={repository_key.hex()}\n")

    well.done("key", "sheet", "--to", str(root / "desk"))

    text = (root / "desk/recovery-sheet.txt").read_text()
    groups = re.findall(r"^ +\d+: (.{4}) (.{4})  ..$", text, re.MULTILINE)
    assert "".join(map("".join, groups)) == repository_key.hex()
    assert "The key of this repository alone, 128 digits" in text
    assert 'UNSTOPPABLE_REPOSITORY_KEY_FILE="$PWD/recovery-key"' in text


def test_an_installation_without_a_sheet_is_not_changed_by_init(well):
    for path in sheets(well):
        path.unlink()

    well.done("init")

    assert sheets(well) == []
    assert "not confirmed: write one with `unstoppable key sheet`" in well.done("status")


def test_a_sheet_is_never_overwritten(well):
    before = [path.read_bytes() for path in sheets(well)]

    refused, rehearsed = well.run("key", "sheet"), well.run("key", "sheet", "--dry-run")

    assert (refused.returncode, rehearsed.returncode) == (2, 2)
    assert refused.stderr.startswith(f"error: {sheets(well)[0]} is there already\nhint: print it")
    assert [path.read_bytes() for path in sheets(well)] == before


def test_a_key_that_the_environment_holds_is_written_down_only_when_asked(alice):
    alice.extra["UNSTOPPABLE_KEY"] = random.Random(SEED).randbytes(32).hex()  # noqa: S311

    alice.done("init", str(alice.data))

    assert sheets(alice) == []
    assert alice.asked("status")["is_sheet_confirmed"] is False
    alice.done("key", "sheet")
    assert len(sheets(alice)) == 2


def test_the_key_of_another_repository_is_not_put_on_paper(well, root):
    other = random.Random(SEED).randbytes(32).hex()  # noqa: S311

    result = well.run(
        "key", "sheet", "--to", str(root / "desk"), settings={"UNSTOPPABLE_KEY": other}
    )

    assert result.returncode == 12
    assert "is not the pinned key" in result.stderr
    assert not (root / "desk").exists()


@pytest.mark.parametrize("place", ["data", "data/below", "hot", "cold/default", "state"])
def test_a_sheet_is_not_written_where_backups_would_take_it(well, root, place):
    way = root / "way"
    way.symlink_to(root / place)

    for folder in (root / place, way, root / place / "new"):
        result = well.run("key", "sheet", "--to", str(folder))
        assert result.returncode == 2
        assert "error: no recovery sheet is written to " in result.stderr
        assert f"it lies inside UNSTOPPABLE_{'SOURCE' if 'data' in place else ''}" in result.stderr
    assert not [path for name in NAMES for path in (root / place).rglob(name)]


@pytest.mark.parametrize(
    "place",
    ["/var/www/html", "/srv/www", "/usr/share/nginx/html", "{}/public_html", "{}/htdocs/below"],
)
def test_a_sheet_is_not_written_where_a_web_server_would_show_it(well, root, place):
    folder = place.format(root)
    existed = Path(folder).exists()

    result = well.run("key", "sheet", "--dry-run", "--to", folder)
    refused = well.run("key", "sheet", "--to", folder)

    assert (result.returncode, refused.returncode) == (2, 2)
    assert "a web server may show what is in " in refused.stderr
    assert Path(folder).exists() is existed


def test_init_of_a_directory_that_holds_the_settings_goes_on_without_a_sheet(alice):
    planned = alice.asked("init", "--dry-run", str(alice.root))["would_make"]

    result = alice.run("init", str(alice.root))

    assert result.returncode == 0, result.stderr
    assert not any("sheet" in step for step in planned)
    assert (
        f"note: no recovery sheet is written to {alice.env_file.parent}: it lies" in result.stderr
    )
    assert "note: name another folder with `unstoppable key sheet --to FOLDER`" in result.stderr
    assert sheets(alice) == []


def test_a_dry_run_writes_and_deletes_nothing(well, root):
    before = contents(well.root)
    desk = root / "desk"

    would_write = well.done("key", "sheet", "--dry-run", "--to", str(desk))
    would_delete = well.asked("key", "sheet", "--confirm", "--dry-run")

    assert would_write == f"would write {desk / NAMES[0]}\nwould write {desk / NAMES[1]}\n"
    assert would_delete == {"would_delete": [str(path) for path in sheets(well)]}
    assert contents(well.root) == before
    assert not desk.exists()


def test_a_confirmation_finds_the_files_itself(well, root):
    result = well.run("key", "sheet", "--confirm", "--to", str(root))

    assert result.returncode == 2
    assert "--confirm finds the files itself" in result.stderr


def test_pins_and_records_that_cannot_be_read_leave_status_alone(well):
    (well.state / "recovery-sheets.json").write_text("{")
    assert well.asked("status")["is_sheet_confirmed"] is False
    assert well.run("key", "sheet").returncode == 1
    told = well.run("key", "sheet", "--confirm", typed="1\n2\n3\n").stderr
    assert told.startswith(f"error: {well.state / 'recovery-sheets.json'} cannot be used: ")

    well.pins_file.write_text("{")

    assert well.asked("status")["is_sheet_confirmed"] is False
    assert well.run("key", "sheet").returncode == 12


def test_a_sheet_whose_writer_is_killed_at_any_moment_is_whole_or_not_there(well, root, kills):
    chance = random.Random(SEED)  # noqa: S311
    ends = {NAMES[0]: "</html>\n", NAMES[1]: "Python and rustic.\n"}
    began = time.monotonic()
    well.done("key", "sheet", "--to", str(root / "desk"))
    longest_seconds = time.monotonic() - began
    key = well.key()

    for number in range(kills):
        desk = root / f"desk-{number}"
        with well.start("key", "sheet", "--to", str(desk), to_be_killed=True) as running:
            time.sleep(chance.uniform(longest_seconds / 2, longest_seconds))
            running.send_signal(signal.SIGKILL)
        for name, end in ends.items():
            assert not (desk / name).exists() or (desk / name).read_text().endswith(end)
        again = well.run("key", "sheet", "--to", str(desk))
        assert again.returncode == 0 or "is there already" in again.stderr
        assert {path.name for path in desk.iterdir()} == set(NAMES)
    assert key not in (well.state / "recovery-sheets.json").read_text()


def test_the_commands_of_the_sheet_are_those_of_its_page(well):
    page, text = (path.read_text() for path in sheets(well))

    assert re.findall(r"<pre>(.*)</pre>", page, re.DOTALL) == [escape(commands(text), quote=False)]
