"""What of a directory is kept and comes back: a test for each row of the table in docs/sources.md.

Their metadata, mount points and what changes have modules of their own.
"""

import os
import re
import subprocess
from pathlib import Path

from tests.stories.rows import DOCUMENT, plain, row, rows, set_up
from tests.stories.world import contents, differences

HERE = Path(__file__).parent


def listing(folder: Path) -> set[bytes]:
    """Return the names in a folder as bytes."""
    return set(os.listdir(os.fsencode(folder)))  # noqa: PTH208 - bytes


def test_each_row_of_the_document_has_one_test_and_no_test_a_row_that_is_none():
    tests = "\n".join(path.read_text() for path in sorted(HERE.glob("test_*.py")))
    shown = re.findall(r'^@row\("(.+)"\)$', tests, re.MULTILINE)

    assert len(rows()) > 30
    assert sorted(shown) == sorted(rows())


def test_the_document_tells_what_the_program_says(alice, apart):
    apart.disk("www", "file")
    set_up(alice)
    apart.do("umount", alice.data / "www")
    result = alice.run("backup")
    shown = re.sub(r"\b[0-9a-f]{8}$", "674a55c8", result.stderr + result.stdout, flags=re.MULTILINE)

    assert f"```console\n$ unstoppable backup\n{shown}```\n" in DOCUMENT.read_text()


@row("content")
def test_every_byte_comes_back(alice, told):
    alice.write("large", os.urandom(5 << 20) * 2)

    told(set_up(alice))

    assert contents(plain(alice)) == contents(alice.data)


@row("names that are no text")
def test_names_that_are_no_text_come_back_and_give_a_terminal_nothing_to_obey(alice, told):
    names = {b"caf\xe9", b"\xff\xfe", b"line\nbreak", b"\x1b[31mred\x07", b" ", b"-rf", b'"', b"\\"}
    folder = alice.write("names/x").parent
    for name in names:
        (folder / os.fsdecode(name)).touch()

    told(set_up(alice))

    assert listing(plain(alice) / "names") == names | {b"x"}
    shown = alice.done("ls")
    assert "\x1b" not in shown
    assert {r"names/\x1b[31mred\x07", r"names/line\x0abreak", r"names/caf\xe9"} <= {
        line.partition("00:00 ")[2] for line in shown.splitlines()
    }


@row("names that look alike")
def test_names_that_look_alike_are_not_taken_for_each_other(alice, told):
    for name in ("A", "a", "\u00e9", "e\u0301"):
        alice.write(f"alike/{name}", ascii(name))

    told(set_up(alice))

    assert contents(plain(alice)) == contents(alice.data)
    assert len(listing(alice.data / "alike")) == 4


@row("names of 255 bytes")
def test_names_of_255_bytes_come_back(alice, told):
    alice.write(f"{'d' * 255}/{'f' * 255}")
    (alice.data / ("l" * 255)).symlink_to("x")

    told(set_up(alice))

    assert differences(alice.data, plain(alice)) == ""


def dig(folder: Path, levels: int) -> None:
    """Make folders in folders, with a file in the last one that tells its level."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 250, dir_fd=at)
        at = enter(at)
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at)
    os.write(file, str(levels).encode())
    os.close(file)
    os.close(at)


def enter(at: int) -> int:
    """Return the folder in a folder, in its place."""
    below = os.open("d" * 250, os.O_RDONLY, dir_fd=at)
    os.close(at)
    return below


def depth(folder: Path) -> tuple[int, bool]:
    """Return how many folders lie in each other, and whether the file of `dig` is in the last."""
    at = os.open(folder, os.O_RDONLY)
    levels = 0
    while "d" * 250 in os.listdir(at):  # noqa: PTH208 - a descriptor
        at = enter(at)
        levels += 1
    has_file = "file" in os.listdir(at)  # noqa: PTH208 - a descriptor
    os.close(at)
    return levels, has_file


@row("paths of any length")
def test_a_path_longer_than_programs_can_name_comes_back(alice, told):
    dig(alice.data, levels=100)

    told(set_up(alice))

    assert depth(plain(alice)) == (100, True)


@row("folders without end")
def test_folders_without_end_come_to_one(alice, told):
    dig(alice.data, levels=270)

    told(set_up(alice))

    levels, has_file = depth(plain(alice))
    assert 64 * 1024 < levels * 251 < 64 * 1024 + 300
    assert not has_file
    subprocess.run(("rm", "-r", alice.data), check=True)  # more levels than Python removes


@row("empty files and folders")
def test_what_is_empty_comes_back(alice, told):
    alice.write("empty", b"")
    (alice.data / "folder/in-folder").mkdir(parents=True)

    told(set_up(alice))

    assert differences(alice.data, plain(alice)) == ""


@row("sparse files")
def test_holes_come_back_as_holes(alice, told):
    with alice.write("holes").open("r+b") as file:
        file.seek(50 << 20)
        file.write(b"x" * 10_000)
        file.truncate(200 << 20)
    alice.write("zeros", bytes(8 << 20))

    told(set_up(alice))

    back = plain(alice)
    assert contents(back) == contents(alice.data)
    assert (back / "holes").stat().st_blocks * 512 < 1 << 20
    assert (alice.data / "zeros").stat().st_blocks * 512 >= 8 << 20
    assert (back / "zeros").stat().st_blocks == 0
    stored = sum(path.stat().st_size for path in alice.cold.rglob("*") if path.is_file())
    assert stored < 1 << 20


@row("hard links in the source")
def test_names_of_one_file_are_names_of_one_file_again(alice, told):
    file = alice.write("file")
    alice.write("folder/x")
    for name in ("second", "folder/third"):
        (alice.data / name).hardlink_to(file)

    told(set_up(alice))

    back = plain(alice)
    found = {(back / name).stat().st_ino for name in ("file", "second", "folder/third")}
    assert len(found) == 1
    assert (back / "file").stat().st_nlink == 3


@row("hard links with a name outside")
def test_a_file_that_has_a_name_outside_comes_back_alone(alice, told, root):
    outside = root / "outside"
    outside.write_text("bob's\n")
    (alice.data / "inside").hardlink_to(outside)

    told(set_up(alice))

    back = plain(alice) / "inside"
    assert (back.read_text(), back.stat().st_nlink) == ("bob's\n", 1)


@row("further names of links and pipes")
def test_further_names_of_what_is_no_file_come_back_apart(alice, told):
    (alice.data / "link").symlink_to("x")
    os.mkfifo(alice.data / "pipe")
    for name in ("link", "pipe"):
        (alice.data / f"{name}-2").hardlink_to(alice.data / name)

    told(set_up(alice))

    back = alice.restored()
    assert [(back / name).lstat().st_nlink for name in ("link", "link-2", "pipe", "pipe-2")] == [
        *(1, 1, 1, 1)
    ]
