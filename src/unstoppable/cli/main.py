"""The command `unstoppable`."""
# ruff: noqa: PLC0415 - what a command needs is imported when it is called, so that help is quick

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from unstoppable.cli import output, usage
from unstoppable.cli.command import COMPLETE, Session, Verbatim
from unstoppable.domain.errors import UnstoppableError, unexpected
from unstoppable.domain.outcome import ExitCode

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SUMMARIES = {
    "init": "Set up backups of a directory and make the first one.",
    "backup": "Make a backup now.",
    "schedule": "Make backups when they are due.",
    "daemon": "Run what is due, until it is told to stop.",
    "customer": "Add, list and remove customers.",
    "status": "Show what happened last.",
    "snapshots": "List what can be restored, oldest first.",
    "ls": "List what a snapshot holds.",
    "find": "Find files in all snapshots, newest first.",
    "dump": "Write a file of a snapshot to stdout, or a folder as a tar archive.",
    "restore": "Bring back what a snapshot holds.",
    "check": "Check what is stored, and that it can be read.",
    "hot": "Mend the cache of a repository's metadata.",
    "runs": "List past runs, newest first.",
    "source": "Look at the server that the source is on.",
    "bucket": "Make and check the bucket that cold is.",
    "key": "Name the key, and keep it on paper.",
    "notify": "Try who hears of runs.",
    "secrets": "Try the secrets that settings refer to.",
    "config": "Write, check and show the settings.",
    "completion": "Write the script that completes commands in bash, zsh or fish.",
}
"""The first line of each command's help, so that the list needs none of them."""


def _load(name: str) -> click.Command | None:  # noqa: C901, PLR0912, PLR0915 - one for each
    found: click.Command
    match name:
        case "init":
            from unstoppable.cli.init import init as found
        case "backup":
            from unstoppable.cli.backup import backup as found
        case "schedule":
            from unstoppable.cli.schedule import schedule as found
        case "daemon":
            from unstoppable.cli.daemon import daemon as found
        case "customer":
            from unstoppable.cli.customer import customer as found
        case "status":
            from unstoppable.cli.status import status as found
        case "snapshots":
            from unstoppable.cli.snapshots import snapshots as found
        case "ls":
            from unstoppable.cli.ls import ls as found
        case "find":
            from unstoppable.cli.find import find as found
        case "dump":
            from unstoppable.cli.dump import dump as found
        case "restore":
            from unstoppable.cli.restore import restore as found
        case "check":
            from unstoppable.cli.check import check as found
        case "hot":
            from unstoppable.cli.hot import hot as found
        case "runs":
            from unstoppable.cli.runs import runs as found
        case "source":
            from unstoppable.cli.source import source as found
        case "bucket":
            from unstoppable.cli.bucket import bucket as found
        case "key":
            from unstoppable.cli.key import key as found
        case "notify":
            from unstoppable.cli.notify import notify as found
        case "secrets":
            from unstoppable.cli.secrets import secrets as found
        case "config":
            from unstoppable.cli.config import config as found
        case "completion":
            from unstoppable.cli.completion import completion as found
        case _:
            return None
    return found


class Commands(Verbatim, click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of a first hour."""
        del ctx
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now."""
        del ctx
        return _load(cmd_name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return what completes a command's name or an option, without importing any command."""
        from click.shell_completion import CompletionItem

        begun = [
            CompletionItem(name, help=summary)
            for name, summary in SUMMARIES.items()
            if name.startswith(incomplete)
        ]
        return [*begun, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: object) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        output.data(f"unstoppable {version('unstoppable-backups')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="Settings file, instead of UNSTOPPABLE_ENV_FILE or this user's own.",
)
@click.option("--json", "is_json", is_flag=True, help="Write results as JSON, times in UTC.")
@click.option("-v", "--verbose", "is_verbose", is_flag=True, help="Show where an error came from.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version.",
)
@click.pass_context
def unstoppable(
    ctx: click.Context, *, env_file: Path | None, is_json: bool, is_verbose: bool
) -> None:
    """Back up a directory, and bring it back.

    Example:
      unstoppable init /srv/data
      unstoppable backup
      unstoppable restore --to /tmp/back

    Exit codes:
      0 succeeded    1 failed    2 wrong usage    3 partial    10 no repository
      11 skipped, another run is going on    12 wrong key or broken pin    130 cancelled
    """
    session = ctx.ensure_object(Session)
    session.env_file, session.is_json, session.is_verbose = env_file, is_json, is_verbose


def main() -> NoReturn:
    """Run the command line, or tell a shell what completes it, and leave with the exit code."""
    _fill_standard_files()
    # Whoever started us may ignore it, and then no process that we start can be waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if instruction := os.environ.get(COMPLETE):
        from unstoppable.cli.completion import answer

        sys.exit(answer(unstoppable, instruction))
    sys.exit(run(sys.argv[1:]))


def _fill_standard_files() -> None:
    """Put nothing where standard files are closed: else a file of a repository would get there.

    What is meant for a terminal, a panic say, would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code and shows a traceback only to who asked for it."""
    session = Session()
    try:
        result = unstoppable.main(arguments, "unstoppable", standalone_mode=False, obj=session)
        return int(result or ExitCode.SUCCEEDED)
    except click.exceptions.NoArgsIsHelpError as error:
        output.say(error.format_message())
        return ExitCode.USAGE
    except click.ClickException as error:
        usage.complain(error)
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        output.say("error: cancelled")
        return ExitCode.CANCELLED
    except UnstoppableError as error:
        output.complain(error, is_verbose=session.is_verbose)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost place
        found = unexpected(error)
        output.complain(found, is_verbose=session.is_verbose)
        return found.exit_code
