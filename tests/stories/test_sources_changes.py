"""What changes while it is read, and what is never read: rows of the tables in docs/sources.md.

The first file of the source takes a second or more to read: the program is stopped in the middle
of it, and goes on once the source is another one. What comes later was listed by then, but not
opened.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.rows import plain, row, set_up
from tests.stories.world import Machine, contents, stretch, wait_until_reading

LATER = 1000
"""So many files wait to be read: more than are opened ahead, fewer than are listed ahead."""


@pytest.fixture
def large(well: Machine) -> Path:
    """The first file of the source."""
    return stretch(well.write("a-large", "begin\n"), gibibytes=1)


@pytest.fixture
def later(well: Machine) -> list[Path]:
    """Files in a folder that comes later."""
    return [well.write(f"later/{number:04}", f"{number}\n") for number in range(LATER)]


def while_reading(
    machine: Machine, large: Path, change: Callable[[], object]
) -> subprocess.CompletedProcess[str]:
    """Make a backup and change the source in the middle of its first file."""
    with machine.start("backup") as running:
        wait_until_reading(running, large)
        wait_until_read(running, large, mebibytes=128)
        running.send_signal(signal.SIGSTOP)
        change()
        running.send_signal(signal.SIGCONT)
        output, talk = running.communicate()
    return subprocess.CompletedProcess(running.args, running.returncode, output, talk)


def wait_until_read(running: subprocess.Popen[str], path: Path, *, mebibytes: int) -> None:
    """Wait until so much of a file was read that all others were listed meanwhile."""
    folder = Path(f"/proc/{running.pid}/fd")
    (number,) = (entry.name for entry in folder.iterdir() if entry.resolve() == path)
    position = folder.with_name("fdinfo") / number
    while int(position.read_text().split()[1]) < mebibytes << 20:
        assert running.poll() is None, "it ended before it read so much"


def remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


@row("a file that vanished")
def test_a_file_that_vanishes_is_a_note(well, large, later, told):
    told(while_reading(well, large, lambda: remove(later[500:])))

    assert set(contents(plain(well) / "later")) >= {path.name for path in later[:500]}
    assert later[-1].name not in contents(plain(well) / "later")


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


@row("a file that grew")
def test_a_file_that_grows_is_stored_as_long_as_it_was(well, large, told):
    told(while_reading(well, large, lambda: append(large)))

    assert (plain(well) / "a-large").stat().st_size == 1 << 30


@row("a file that shrank")
def test_a_file_that_shrinks_is_stored_as_far_as_there_is_any(well, large, told):
    stretch(large, gibibytes=64)

    told(while_reading(well, large, lambda: os.truncate(large, 1 << 20)))

    target = well.root / "back"
    assert well.run("restore", "--to", str(target)).returncode == 0
    assert (target / "a-large").stat().st_size < 64 << 30


def write_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"BEGIN\n")


@row("a file that was written to")
def test_a_file_that_is_written_to_is_told(well, large, told):
    told(while_reading(well, large, lambda: write_over(large)))

    assert (plain(well) / "a-large").stat().st_size == 1 << 30


def replace(paths: list[Path], content: str) -> None:
    for path in paths:
        other = path.with_name("other")
        other.write_text(content)
        other.replace(path)


@row("a file that another one replaced")
def test_a_file_that_another_one_replaces_is_stored_as_one_of_them(well, large, later, told):
    told(while_reading(well, large, lambda: replace(later, "new\n")))

    back = plain(well) / "later"
    found = {path.name: (back / path.name).read_text() for path in later}
    assert found[later[0].name] == "0\n", "it was open already"
    assert "new\n" in found.values()
    assert all(text in {"new\n", f"{int(name)}\n"} for name, text in found.items())


@row("a folder that vanished")
def test_a_folder_that_vanishes_is_never_only_a_note(well, large, later, told):
    told(while_reading(well, large, lambda: shutil.rmtree(later[0].parent)))

    assert later[-1].name not in contents(plain(well) / "later")


@row("a file system that went away")
def test_a_file_system_that_goes_away_is_never_only_a_note(apart, told):
    machine = apart.machine
    set_up(machine)
    large = stretch(machine.write("a-large"), gibibytes=1)
    folder = apart.memory("disk", *(f"{number:04}" for number in range(LATER)))

    told(while_reading(machine, large, lambda: apart.do("umount", "--lazy", folder)))

    assert "0999" not in contents(plain(machine) / "disk")


@row("what may not be read")
def test_what_may_not_be_read_is_told(nobody, told):
    nobody.write("secret").chmod(0)
    nobody.write("closed/file").parent.chmod(0)

    told(nobody.run("backup"))

    assert contents(plain(nobody)).keys() == {"letters/bob.txt"}
    assert list((plain(nobody) / "closed").iterdir()) == []


@row("files that only say that they are empty")
def test_a_file_that_only_says_that_it_is_empty_is_told(alice, told):
    told(alice.run("init", "/proc/sys/kernel/random"))

    assert contents(plain(alice)) == {}


@row("hot, cold and state in the source")
def test_our_own_folders_in_the_source_are_left_out(alice, told):
    alice.hot, alice.cold, alice.state = (alice.data / name for name in ("hot", "cold", "state"))

    told(set_up(alice))
    told(alice.run("backup"))

    assert contents(plain(alice)).keys() == {"photo.bin", "letters/bob.txt"}


@row("what is excluded")
def test_what_is_excluded_is_left_out(alice, told):
    alice.extra["UNSTOPPABLE_EXCLUDE"] = "/letters, *.tmp"
    alice.write("folder/x.tmp")
    alice.write("folder/letters")

    told(set_up(alice))

    assert contents(plain(alice)).keys() == {"photo.bin", "folder/letters"}
