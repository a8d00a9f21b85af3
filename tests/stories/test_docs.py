"""The documents tell every setting, command and exit code."""

import json
import re
import subprocess
from pathlib import Path

import click
import pytest

from tests.stories.world import PROGRAM, Machine
from unstoppable.cli.main import SUMMARIES, unstoppable
from unstoppable.cli.settings_model import NAMES, TOLD
from unstoppable.domain.outcome import ExitCode

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
PLACES = ("UNSTOPPABLE_HOT", "UNSTOPPABLE_COLD", "UNSTOPPABLE_STATE")
"""What the environment of these stories sets."""


def commands() -> list[str]:
    """Return every command as a person types it."""
    found = []
    for name in SUMMARIES:
        command = unstoppable.get_command(click.Context(unstoppable), name)
        inner = command.commands if isinstance(command, click.Group) else {"": None}
        found += [f"{name} {part}".strip() for part in inner]
    return found


@pytest.mark.parametrize(("name", "told"), TOLD.items())
def test_every_setting_is_documented_and_has_an_example(name, told):
    assert f"\n| `{name}` | {told.default} | {told.meaning} |\n" in CONFIGURATION
    assert re.search(rf"^#{name}(_FILE)?=", EXAMPLE, re.MULTILINE)


def test_the_example_is_what_the_program_writes(alice):
    assert alice.done("config", "generate") == EXAMPLE


def test_the_example_sets_nothing_and_every_line_of_it_can_be_taken(alice):
    file = alice.home / "mine"
    alice.done("config", "generate", "--to", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    values = alice.asked("--env-file", str(file), "config", "show")
    assert {found["origin"] for found in values.values()} <= {"default", "the environment"}

    taken = re.sub("^#(?=UNSTOPPABLE_)", "", EXAMPLE, flags=re.MULTILINE)
    file.write_text(re.sub("^UNSTOPPABLE_KEY.*\n", "", taken, flags=re.MULTILINE))

    shown = json.loads(alice.done("--env-file", str(file), "config", "show", "--json"))
    told = {name: TOLD[name].example for name in NAMES if f"\n{name}=" in file.read_text()}
    for name in (*PLACES, "UNSTOPPABLE_EXCLUDE"):
        told.pop(name, None)
    assert {name: shown[name]["value"] for name in told} == told
    again = alice.run("config", "generate", "--to", str(file))
    assert (again.returncode, file.read_text().startswith("# Settings")) == (2, True)
    assert again.stderr.startswith(f"error: {file} is there already and is not overwritten\nhint: ")


def test_no_document_tells_a_setting_that_is_none():
    told = set(re.findall(r"UNSTOPPABLE_[A-Z0-9_]+", CONFIGURATION + EXAMPLE)) - set(NAMES)

    others = {"UNSTOPPABLE_ENV_FILE", "UNSTOPPABLE_CACHE", "UNSTOPPABLE_COMPLETE", "UNSTOPPABLE_"}
    assert {name.removesuffix("_FILE") for name in told - others} <= set(NAMES)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented_and_its_help_has_an_example_and_exit_codes(command):
    told = subprocess.run(
        (PROGRAM, *command.split(), "--help"), capture_output=True, text=True, check=True
    ).stdout

    assert f"| `unstoppable {command}" in CONFIGURATION
    assert f"Example:\n    unstoppable {command}" in told
    assert "Exit codes:\n    0 " in told


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_list_of_commands_says_what_each_says_of_itself(name):
    command = unstoppable.get_command(click.Context(unstoppable), name)

    assert command is not None
    assert (command.help or "").splitlines()[0] == SUMMARIES[name]


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_documented(code):
    assert f"\n| {code.value} |" in CONFIGURATION


def test_no_other_exit_code_is_documented():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", CONFIGURATION, re.MULTILINE)}

    assert told == set(ExitCode)


def commands_of(chapter: str) -> list[str]:
    """Return what a chapter of the README says to type."""
    chapter = (ROOT / "README.md").read_text().partition(f"## {chapter}\n")[2]
    return re.findall(r"^\$ (unstoppable [^#\n]*)", chapter.partition("\n## ")[0], re.MULTILINE)


def typed(alice: Machine, command: str) -> None:
    """Type a command of the README, whose folders are beneath the machine's own."""
    here = re.sub(r"/(tmp|srv)/", f"{alice.root}/", command.strip())
    argv = ("bash", "-c", here.replace("unstoppable", PROGRAM, 1))
    done = subprocess.run(
        argv, env=alice.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (command, done.stderr)


def test_the_commands_of_the_readme_work_one_after_the_other(alice: Machine) -> None:
    alice.write("www/index.html")
    alice.done("init", str(alice.data))
    commands = commands_of("Every day")

    assert len(commands) > 8
    for command in commands:
        typed(alice, command)
    assert (alice.root / "back/letters/bob.txt").exists()


def test_the_commands_for_many_customers_work_one_after_the_other(alice: Machine) -> None:
    alice.env_file.parent.mkdir()
    alice.env_file.touch(0o600)
    for place in ("acme/www", "acme/mail", "acme/shop", "blue"):
        (alice.root / place).mkdir(parents=True)
        (alice.root / place / "file").write_text(f"{place}\n")
    commands = commands_of("Many customers")

    assert len(commands) > 8
    for command in commands:
        typed(alice, command)
    assert (alice.root / "mail/file").read_text() == "acme/mail\n"
    assert (alice.root / "blue.tar").exists()
