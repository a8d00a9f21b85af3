"""`unstoppable completion`, and what is completed."""

import os
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    shell_complete,
)

from unstoppable.cli import env_file, output
from unstoppable.cli.command import COMPLETE, Verbatim
from unstoppable.cli.customer_file import text_of
from unstoppable.domain import toml
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.names import ResourceName, is_name

_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command(cls=Verbatim)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> int:
    """Write the script that completes commands in bash, zsh or fish.

    Completes commands, options, files, customers and resources; no repository is opened for it.

    Example:
      unstoppable completion bash > ~/.local/share/bash-completion/completions/unstoppable
      unstoppable completion zsh > /usr/local/share/zsh/site-functions/_unstoppable
      unstoppable completion fish > ~/.config/fish/completions/unstoppable.fish

    Exit codes:
      0 written    1 failed    2 wrong usage
    """
    made = _SHELLS[shell](ctx.find_root().command, {}, "unstoppable", COMPLETE)
    # Bash's own would look which bash is here; the script may be for another machine.
    output.stream([ShellComplete.source(made)])
    return 0


def answer(command: click.Command, instruction: str) -> int:
    """Tell a shell what completes the words that its environment holds; returns the exit code.

    It is called with each press of the tab key: what goes wrong means that nothing is completed.
    """
    try:
        return shell_complete(command, {}, "unstoppable", COMPLETE, instruction)
    except Exception:  # noqa: BLE001 - the outermost place: a prompt has no room for sentences
        return 1


def resources(named: Path | None, incomplete: str) -> list[CompletionItem]:
    """Return the configured resources that begin like that; nothing where none is known."""
    _, files = env_file.customers(env_file.locate(named))
    found = _of_customers(files) if files else _of_one(named)
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def customers(named: Path | None, incomplete: str) -> list[CompletionItem]:
    """Return the names of customers that begin like that, whatever their files hold."""
    _, files = env_file.customers(env_file.locate(named))
    found = [path.stem for path in files or () if is_name(path.stem)]
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _of_customers(files: list[Path]) -> list[str]:
    """Return the names that files of customers have, without looking at anything else in them.

    What is no name is left out: a shell would take a line break in it for the end of one.
    """
    found = []
    for path in files:
        try:
            tables = toml.parse(text_of(path)).get("resources")
        except (UnstoppableError, ValueError):
            continue
        if is_name(path.stem) and isinstance(tables, dict):
            found += [f"{path.stem}/{resource}" for resource in filter(is_name, tables)]
    return sorted(found)


def _of_one(named: Path | None) -> list[str]:
    try:
        lines, _ = env_file.read(env_file.locate(named))
        words = [_setting(name, lines) for name in ("UNSTOPPABLE_CUSTOMER", "UNSTOPPABLE_RESOURCE")]
        return [str(ResourceName(customer=words[0], resource=words[1]))]
    except UnstoppableError:
        return []


def _setting(name: str, lines: dict[str, env_file.Line]) -> str:
    # To read all settings would take longer than somebody waits for a tab.
    if name in os.environ:
        return os.environ[name]
    return lines[name].value if name in lines else "default"
