import click
import pytest

from unstoppable.cli import main as command_line
from unstoppable.cli.command import Session
from unstoppable.cli.main import SUMMARIES, run, unstoppable


@pytest.fixture
def fails(monkeypatch):
    """Make `unstoppable status` raise something."""

    def raising(error: BaseException) -> None:
        @click.command()
        @click.pass_obj
        def status(session: Session) -> int:
            assert session is not None
            raise error

        monkeypatch.setattr(command_line, "_load", lambda _name: status)

    return raising


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bakup"], "no such command 'bakup'"),
        (["--jsn"], "no such option '--jsn'"),
        (["\udcff"], r"no such command '\xff'"),
        (["restore"], "missing option '--to'"),
        (["completion"], "missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish\nhint"),
        (["runs", "--last", "0"], "invalid value for '--last'"),
        (["--env-file", "/nowhere/.env", "status"], "there is no settings file /nowhere/.env"),
    ],
)
def test_wrong_usage_is_2_and_says_what_and_what_to_do(arguments, sentence, capsys):
    assert run(arguments) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {sentence}")
    assert err.splitlines()[-1].startswith("hint: ")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["bakup"], "did you mean `unstoppable backup`? see `unstoppable --help`"),
        (
            ["schedule", "tik"],
            "did you mean `unstoppable schedule tick`? see `unstoppable schedule",
        ),
        (["xyz"], "see `unstoppable --help`"),
        (["backup", "--drry"], "did you mean --dry-run? see `unstoppable backup --help`"),
        (["restore", "--to"], "see `unstoppable restore --help`"),
        (["init", "/my", "data"], "a value with spaces stands in quotes; see `unstoppable init"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(arguments, hint, capsys):
    assert run(arguments) == 2

    assert capsys.readouterr().err.splitlines()[-1].startswith(f"hint: {hint}")


def test_nothing_asked_is_answered_with_help(capsys):
    assert run([]) == 2
    assert "Exit codes:" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["backup", "--help"]])
def test_help_and_version_are_0(arguments, capsys):
    assert run(arguments) == 0
    assert "unstoppable" in capsys.readouterr().out


def test_a_fault_is_one_sentence_and_a_traceback_only_for_who_asks(fails, capsys):
    fails(KeyError("x"))

    assert run(["status"]) == 1
    quiet = capsys.readouterr().err
    assert run(["-v", "status"]) == 1
    loud = capsys.readouterr().err

    assert quiet.startswith(
        "error: a fault in the program, not in your data: KeyError: 'x'\nhint: "
    )
    assert "Traceback" not in quiet
    assert "Traceback" in loud


def test_a_refusal_of_the_system_is_told_as_such(fails, capsys):
    fails(PermissionError(13, "Permission denied", "/x"))

    assert run(["status"]) == 1
    assert capsys.readouterr().err.startswith("error: the system refused: ")


def test_an_interrupt_is_130(fails, capsys):
    fails(KeyboardInterrupt())

    assert run(["status"]) == 130
    assert "error: cancelled" in capsys.readouterr().err


def test_every_command_can_be_completed_by_a_shell():
    context = click.Context(unstoppable)

    found = {item.value for item in unstoppable.shell_complete(context, "")}

    assert found >= set(SUMMARIES)
