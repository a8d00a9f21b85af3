"""The tab key in real shells."""

import os
import pty
import subprocess
import time
from collections.abc import Callable, Mapping

import click
import pytest

from tests.stories.world import PROGRAM, Machine
from unstoppable.cli.main import SUMMARIES, unstoppable

_DEADLINE_SECONDS = 60
SET_UP = {
    "bash": 'PS1=; eval "$(unstoppable completion bash)"\n',
    "zsh": 'PS1=; autoload -Uz compinit; compinit -u -D; eval "$(unstoppable completion zsh)"\n',
}
ARGV = {"bash": ("bash", "--norc", "-i"), "zsh": ("zsh", "-f", "-i")}


@pytest.fixture
def typist(alice: Machine) -> Machine:
    """Alice at a shell whose `unstoppable` only notes what it was called with."""
    programs = alice.root / "bin"
    programs.mkdir()
    note = alice.root / "called"
    program = programs / "unstoppable"
    program.write_text(
        f'#!/bin/sh\n[ -n "$_UNSTOPPABLE_COMPLETE$COMP_WORDS" ] || [ "$1" = completion ] && '
        f'exec {PROGRAM} "$@"\nprintf "%s\\n" "$@" >{note}.draft && mv {note}.draft {note}\n'
    )
    program.chmod(0o755)
    alice.extra["PATH"] = f"{programs}:{os.environ['PATH']}"
    alice.extra["TERM"] = "xterm"
    return alice


def called_with(machine: Machine, shell: str, keys: str) -> tuple[list[str], str]:
    """Type keys and Enter into a shell on a terminal.

    Returns what the program was called with then, and what the terminal showed since the first key.
    """
    note = machine.root / "called"
    note.unlink(missing_ok=True)
    ours, theirs = pty.openpty()
    argv = ("setsid", "--ctty", "--wait", *ARGV[shell])
    with subprocess.Popen(
        argv,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=machine.environment(),
        cwd=machine.root,
    ) as running:
        os.close(theirs)
        os.set_blocking(ours, False)
        os.write(ours, f"{SET_UP[shell]}printf 'rea%s\\n' dy\n".encode())
        _read_until(ours, lambda shown: "ready" in shown)
        os.write(ours, f"{keys}\n".encode())
        shown = _read_until(ours, lambda _shown: note.exists())
        os.write(ours, b"exit\n")
        _read_until(ours, lambda _shown: running.poll() is not None)
    os.close(ours)
    return note.read_text().splitlines(), shown


def _read_until(terminal: int, is_enough: Callable[[str], bool]) -> str:
    shown, deadline = "", time.monotonic() + _DEADLINE_SECONDS
    while not is_enough(shown):
        assert time.monotonic() < deadline, shown
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:  # the shell has left
            time.sleep(0.02)
    return shown


def fish_completes(machine: Machine, words: str) -> list[str]:
    """Return what fish offers for a command line that ends with the cursor."""
    script = f"unstoppable completion fish | source; complete -C '{words}'"
    asked = subprocess.run(
        ("fish", "--no-config", "-c", script),
        env=machine.environment(),
        cwd=machine.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stderr == ""
    return [line.partition("\t")[0] for line in asked.stdout.splitlines()]


def asked(machine: Machine, *words: str, settings: Mapping[str, str] | None = None) -> list[str]:
    """Return what the program answers a shell for words, the last of which is begun."""
    answer = subprocess.run(
        (PROGRAM,),
        env=machine.environment(settings)
        | {
            "_UNSTOPPABLE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("unstoppable", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.stderr, "Traceback" in answer.stdout) == ("", False)
    return answer.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("resto\t", ["restore"]),
        ("config gen\t", ["config", "generate"]),
        ("backup --acc\t", ["backup", "--accept-shrink"]),
        ("ls --at l\t", ["ls", "--at", "latest"]),
        ("init home/my\t", ["init", "home/my letters"]),
        ("--env-file home/sett\t status", ["--env-file", "home/settings", "status"]),
    ],
)
def test_the_tab_key_completes(typist, shell, keys, words):
    (typist.home / "my letters").mkdir()
    (typist.home / "my list").touch()
    (typist.home / "settings").touch()

    found, shown = called_with(typist, shell, f"unstoppable {keys}")

    # zsh takes the slash of a folder away again.
    assert [word.removesuffix("/") for word in found] == words
    assert "error" not in shown
    assert "Traceback" not in shown


def test_resources_of_customers_are_completed(typist):
    settings = typist.home / "configuration/.env"
    (settings.parent / "customers").mkdir(parents=True)
    settings.touch(0o600)
    for customer, resources in {"acme": ("www", "mail"), "blue": ("www",)}.items():
        tables = "".join(f"[resources.{name}]\nsource = '/x'\n" for name in resources)
        (settings.parent / f"customers/{customer}.toml").write_text(tables)
    (settings.parent / "customers/cyan.toml").write_text("nonsense")
    (settings.parent / "customers/No name.toml").touch()

    assert fish_completes(typist, "unstoppable backup ac") == ["acme/mail", "acme/www"]
    for command in ("remove", "list", "add-resource"):
        assert fish_completes(typist, f"unstoppable customer {command} ") == [
            "acme",
            "blue",
            "cyan",
        ]
    # Of a customer who is added nobody knows the name.
    assert "acme" not in fish_completes(typist, "unstoppable customer add a")


def test_fish_completes_too(typist):
    (typist.home / "my letters").mkdir()

    assert fish_completes(typist, "unstoppable resto") == ["restore"]
    assert fish_completes(typist, "unstoppable config ") == ["check", "generate", "schema", "show"]
    assert fish_completes(typist, "unstoppable backup --acc") == ["--accept-shrink"]
    assert fish_completes(typist, "unstoppable init home/my") == ["home/my letters/"]
    told = subprocess.run(
        (PROGRAM, "completion", "fish"), capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith("function _unstoppable_completion;")


def test_the_configured_resource_is_completed(typist):
    typist.env_file.parent.mkdir(mode=0o700)
    typist.env_file.write_text("UNSTOPPABLE_CUSTOMER=acme\n")
    typist.env_file.chmod(0o600)

    assert asked(typist, "backup", "a") == ["plain,acme/default"]
    assert asked(typist, "backup", "b") == []
    settings = {"UNSTOPPABLE_RESOURCE": "www", "UNSTOPPABLE_ENV_FILE": "/nowhere"}
    command = ("--env-file", str(typist.env_file), "check", "acme/")
    assert asked(typist, *command, settings=settings) == ["plain,acme/www"]


@pytest.mark.parametrize("trouble", ["none", "lines", "open", "folder", "name"])
def test_settings_that_cannot_be_used_complete_nothing_and_say_nothing(alice, trouble):
    alice.env_file.parent.mkdir(mode=0o700)
    if trouble == "folder":
        alice.env_file.mkdir()
    elif trouble != "none":
        alice.env_file.write_text("UNSTOPPABLE_CUSTOMER=Acme\n" if trouble == "name" else "x\n")
        alice.env_file.chmod(0o666 if trouble == "open" else 0o600)

    expected = ["plain,default/default"] if trouble == "lines" else []
    assert asked(alice, "backup", "") == expected
    assert asked(alice, "backup", "--dry") == ["plain,--dry-run"]


def test_whatever_a_shell_asks_it_is_answered_without_a_word(alice):
    environment = alice.environment() | {"_UNSTOPPABLE_COMPLETE": "bash_complete"}
    for extra in ({}, {"COMP_WORDS": "unstoppable '", "COMP_CWORD": "x"}):
        answer = subprocess.run(
            (PROGRAM,), env=environment | extra, capture_output=True, text=True, check=False
        )
        assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", "")


def groups() -> list[str]:
    context = click.Context(unstoppable)
    found = []
    for name in SUMMARIES:
        command = unstoppable.get_command(context, name)
        found += [f"{name} {part}" for part in getattr(command, "commands", {})] or [name]
    return found


@pytest.mark.parametrize("command", ["", *groups()])
def test_no_completion_takes_longer_than_somebody_waits(alice, command):
    alice.extra["PYTHONPROFILEIMPORTTIME"] = "1"
    words = " ".join(("unstoppable", *command.split(), "-"))
    environment = {
        name: value
        for name, value in alice.environment().items()
        if not name.startswith("COVERAGE_")
    } | {
        "_UNSTOPPABLE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }

    answer = subprocess.run((PROGRAM,), env=environment, capture_output=True, text=True, check=True)

    assert "plain,--help\n" in answer.stdout
    slow = ("pydantic", "rich", "asyncio")
    imported = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()}
    assert "click" in imported
    assert {name for name in imported if name.startswith(slow)} == set()
