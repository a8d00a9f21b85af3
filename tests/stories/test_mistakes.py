"""What a newcomer does wrong is one sentence and the way out."""

import os
import re
import secrets
import subprocess

import pytest

from tests.stories.world import NOBODY, PROGRAM, Machine, on_a_terminal

STRANGER = 54321
"""A user whom /etc/passwd does not know."""


def told(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one error and its hint, after seeing that nothing else was complained of."""
    lines = result.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines[-2:]] == ["error", "hint"], result.stderr
    assert result.stderr.count("error: ") == 1
    assert "Traceback" not in result.stderr
    assert "a fault in the program" not in result.stderr
    return "\n".join(lines[-2:])


def in_a_shell(machine: Machine, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("sh", "-c", line.replace("unstoppable", PROGRAM, 1)),
        env=machine.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("backup", "www"), "'www' is not a resource\nhint: write it as customer/resource"),
        (("backup", "b\udcff/x"), "'b\\xff' is not a name"),
        (("ls", "--at", "\udcff"), "'\\xff' is neither latest, a snapshot id nor a date"),
        (("ls", "--path", "nope"), 'the snapshot holds no "nope" there\nhint: correct that: '),
    ],
)
def test_words_that_mean_nothing_are_told_as_they_were_typed(well, arguments, sentence):
    result = well.run(*arguments)

    assert result.returncode == 2
    assert sentence in told(result)


def test_a_directory_with_spaces_works_in_quotes(alice):
    folder = alice.root / "my  data"
    alice.data.rename(folder)

    alice.done("init", str(folder))

    assert f"{folder} is backed up to" in alice.done("config", "check")


@pytest.mark.parametrize("command", [("init",), ("backup",), ("config", "check")])
def test_a_link_to_itself_is_no_fault_of_the_program(well, command):
    loop = well.root / "loop"
    loop.symlink_to("loop")

    result = well.run(*command, settings={"UNSTOPPABLE_SOURCE": str(loop)})

    assert result.returncode == 1
    assert "Too many levels of symbolic links" in told(result)
    assert well.run("restore", "--to", str(loop)).returncode == 2
    assert told(well.run("init", str(loop))).startswith(f"error: {loop} is not a directory\n")


def test_a_settings_file_that_lacks_a_setting_is_completed_by_hand(alice):
    alice.done("config", "generate", "--to", str(alice.env_file.parent.parent / "generated"))
    alice.env_file.parent.mkdir(mode=0o700)
    (alice.home / "generated").rename(alice.env_file)

    first = told(alice.run("init", str(alice.data)))
    with alice.env_file.open("a") as file:
        file.write(f"UNSTOPPABLE_SOURCE={alice.data}\n")
    second = told(alice.run("init", str(alice.data)))

    assert f"{alice.env_file} does not set UNSTOPPABLE_SOURCE, and init never changes" in first
    assert f"hint: write '{alice.data}' there as UNSTOPPABLE_SOURCE, or move" in first
    assert "does not set UNSTOPPABLE_KEY" in second
    assert "`openssl rand -hex 32`" in second
    with alice.env_file.open("a") as file:
        file.write(f"UNSTOPPABLE_KEY={secrets.token_hex(32)}\n")
    alice.done("init", str(alice.data))


@pytest.mark.parametrize("command", ["init", "backup", "config check"])
def test_a_lost_key_is_typed_from_the_recovery_sheet_and_never_replaced(well, command):
    settings = well.env_file.read_text()
    well.env_file.write_text(re.sub(r"(?m)^UNSTOPPABLE_KEY=.*\n", "", settings))

    result = well.run(*command.split())

    assert result.returncode == 2
    assert "hint: type it from the recovery sheet into" in told(result)


def test_a_user_without_a_home_is_told_what_to_name(root):
    stranger = Machine(root, user=STRANGER)
    stranger.write("letter")
    for path in (root, *root.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    environment = {
        name: value
        for name, value in stranger.environment().items()
        if name != "HOME" and not name.startswith("UNSTOPPABLE_")
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = stranger.argv(*arguments)
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    sentence = f"error: the home of user {STRANGER} is not known: HOME is not set\nhint: set HOME"
    assert told(run("status")).startswith(sentence)
    assert run("--help").returncode == 0
    environment |= {
        "UNSTOPPABLE_ENV_FILE": str(stranger.env_file),
        "UNSTOPPABLE_HOT": str(stranger.hot),
        "UNSTOPPABLE_COLD": str(stranger.cold),
    }
    assert told(run("init", str(stranger.data))).startswith(sentence)
    environment["UNSTOPPABLE_STATE"] = str(stranger.state)
    assert run("init", str(stranger.data)).returncode == 0


def test_a_home_that_takes_nothing_is_told_before_anything_is_made(root):
    nobody = Machine(root, user=NOBODY)
    os.chown(root, NOBODY, NOBODY)
    nobody.home.chmod(0o555)
    nobody.extra["XDG_DATA_HOME"] = str(nobody.home / "share")

    result = nobody.run("init", str(nobody.data))

    folder = nobody.env_file.parent
    assert told(result).startswith(f"error: cannot use {folder}: Permission denied\n")
    assert not nobody.cold.exists()


@pytest.mark.parametrize("command", ["status", "runs", "schedule show", "config check"])
def test_what_only_another_user_may_enter_is_told(well, command):
    well.root.chmod(0o755)
    well.env_file.chmod(0o644)
    well.user = NOBODY
    empty = well.root / "empty"
    empty.touch(mode=0o600)
    os.chown(empty, NOBODY, NOBODY)

    result = well.run("--env-file", str(empty), *command.split())

    assert result.returncode == 1
    journal = f"error: the journal {well.state}/journal.sqlite3 cannot be used: Permission denied\n"
    assert journal in result.stderr
    assert "Traceback" not in result.stderr


def test_a_closed_output_is_told_and_holds_nothing_up(well):
    assert "error: cannot write the output: standard output is closed\n" in told(
        in_a_shell(well, "unstoppable config show >&-")
    )
    assert in_a_shell(well, "unstoppable backup <&- >&- 2>&-").returncode == 1
    assert well.last_run()["outcome"] == "succeeded"
    well.done("check", "--read-data", "all")
    assert in_a_shell(well, "unstoppable --help | true").returncode == 0
    assert in_a_shell(well, "unstoppable bakup 2>&-").returncode == 2


def test_a_narrow_terminal_and_no_colour_lose_nothing(well):
    well.extra |= {"COLUMNS": "40", "NO_COLOR": "1", "TERM": "xterm"}
    narrow = well.done("config", "show")
    code, shown = on_a_terminal(well, "backup", talks_there=True)
    well.extra = {}

    rows = {line.split()[0] for line in narrow.splitlines()}
    assert rows >= {line.split()[0] for line in well.done("config", "show").splitlines()}
    assert code == 0
    assert not re.search(rb"\x1b\[(\d+;)*(3[0-7]|9[0-7]|38|48)[;m]", shown)
