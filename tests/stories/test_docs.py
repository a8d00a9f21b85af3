"""The documents tell every setting, command and exit code."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from tests.stories.world import PROGRAM, Machine
from unstoppable.cli.main import SUMMARIES, unstoppable
from unstoppable.cli.settings import NAMES
from unstoppable.domain.outcome import ExitCode

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


def commands() -> list[str]:
    """Return every command as a person types it."""
    found = []
    for name in SUMMARIES:
        command = unstoppable.get_command(click.Context(unstoppable), name)
        inner = command.commands if isinstance(command, click.Group) else {"": None}
        found += [f"{name} {part}".strip() for part in inner]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented_and_has_an_example(name):
    assert f"\n| `{name}` |" in CONFIGURATION
    assert re.search(rf"^#?{name}(_FILE)?=", EXAMPLE, re.MULTILINE)


def test_no_document_tells_a_setting_that_is_none():
    told = set(re.findall(r"UNSTOPPABLE_[A-Z_]+", CONFIGURATION + EXAMPLE))

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


def everyday_commands() -> list[str]:
    """Return what the README says to type every day."""
    chapter = (ROOT / "README.md").read_text().partition("## Every day")[2]
    return re.findall(r"^\$ (unstoppable [^#\n]*)", chapter.partition("\n## ")[0], re.MULTILINE)


def test_the_commands_of_the_readme_work_one_after_the_other(alice: Machine) -> None:
    alice.write("www/index.html")
    alice.done("init", str(alice.data))
    commands = everyday_commands()

    assert len(commands) > 8
    for command in commands:
        here = command.strip().replace("/tmp/", f"{alice.root}/")  # noqa: S108
        argv = ("bash", "-c", here.replace("unstoppable", PROGRAM, 1))
        done = subprocess.run(
            argv, env=alice.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
    assert (alice.root / "back/letters/bob.txt").exists()
