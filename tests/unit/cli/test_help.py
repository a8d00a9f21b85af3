"""Every command explains itself."""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from unstoppable.cli.main import run, unstoppable
from unstoppable.domain.outcome import ExitCode

PROGRAM = str(Path(sys.executable).parent / "unstoppable")
WITHOUT_JSON = {"completion", "daemon", "dump"}
"""What they write is no table and no document: bytes of a snapshot, a script."""


def walk(group: click.Group = unstoppable, *above: str) -> Iterator[tuple[str, click.Command]]:
    """Return every command with the words that call it; groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*above, name)), command
        if isinstance(command, click.Group):
            yield from walk(command, *above, name)


ALL = dict(walk())
LEAVES = {words: found for words, found in ALL.items() if not isinstance(found, click.Group)}


def section(command: click.Command, title: str) -> list[str]:
    """Return the lines of a part of a help text."""
    text = inspect.cleandoc(command.help or "")
    part = text.partition(f"{title}:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in part.splitlines()]


def parsed(line: str) -> str:
    """Return which command a line calls, after parsing all that it says."""
    words = shlex.split(re.split(r" [|>] ", line)[0])
    assert words[0] == "unstoppable"
    command: click.Command = unstoppable
    context = command.make_context("unstoppable", words[1:])
    called = []
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert name is not None
        assert found is not None
        called.append(name)
        command, context = found, found.make_context(name, rest, parent=context)
    return " ".join(called)


@pytest.mark.parametrize(("words", "command"), LEAVES.items(), ids=LEAVES)
def test_every_example_calls_its_command(words, command):
    examples = section(command, "Example")

    assert examples
    assert {parsed(line) for line in examples} == {words}


def test_the_examples_of_the_whole_are_of_its_commands():
    assert {parsed(line) for line in section(unstoppable, "Example")} <= set(LEAVES)


@pytest.mark.parametrize(("words", "command"), {"": unstoppable, **LEAVES}.items())
def test_every_exit_code_of_a_help_text_is_known(words, command):
    lines = section(command, "Exit codes")

    told = [int(code) for line in lines for code in re.findall(r"(?:^|\s{4})(\d+) ", line)]
    assert told[0] == 0
    assert set(told) <= set(ExitCode)
    assert told == sorted(set(told)), words
    assert ExitCode.USAGE in told or "else those of" in lines[0]


@pytest.mark.parametrize(("words", "command"), LEAVES.items(), ids=LEAVES)
def test_json_is_taken_wherever_a_table_or_document_is_written(words, command):
    takes_json = any("--json" in option.opts for option in command.params)

    assert takes_json is (words not in WITHOUT_JSON)
    if not takes_json:
        source = inspect.getsource(sys.modules[inspect.unwrap(command.callback).__module__])
        assert "output.table" not in source
        assert "output.document" not in source


@pytest.mark.parametrize("words", ["", *ALL])
def test_h_is_help(words, capsys):
    assert run([*words.split(), "-h"]) == 0

    told = capsys.readouterr().out
    assert told.startswith(f"Usage: unstoppable {words}".rstrip())
    assert "..." not in told.replace("[ARGS]...", "")
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.parametrize(("words", "command"), LEAVES.items(), ids=LEAVES)
def test_every_option_says_what_it_does(words, command):
    options = [option for option in command.params if isinstance(option, click.Option)]

    assert [option.name for option in options if not option.help] == [], words


@pytest.mark.parametrize("words", ["", *ALL])
def test_help_is_quick_because_it_imports_next_to_nothing(words):
    """Of the whole in a tenth of a second; pydantic alone would take two."""
    environment = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    asked = subprocess.run(
        (sys.executable, "-X", "importtime", PROGRAM, *words.split(), "--help"),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in asked.stderr.splitlines()}
    slow = {"pydantic", "rich"} | (set() if words else {"dotenv", "sqlite3", "unstoppable_engine"})
    assert "click" in imported
    assert imported & slow == set()
