"""Alice looks into her snapshots, finds what she lost, and takes single files out."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time

import pytest

from tests.stories.world import differences, on_a_terminal


@pytest.fixture
def changed(well):
    """Alice's machine with a second snapshot, in which one file is newer and one is gone."""
    well.write("letters/bob.txt", "dear bob, once more\n")
    well.write("letters/carol.txt", "dear carol\n")
    (well.data / "photo.bin").unlink()
    (well.data / "link").symlink_to("letters/bob.txt")
    well.done("backup", "--accept-shrink")
    return well


def dumped(machine, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        machine.argv("dump", *arguments),
        env=machine.environment(),
        cwd=machine.home,
        capture_output=True,
        check=False,
        timeout=60,
    )


def paths(told: str) -> list[str]:
    return [json.loads(line)["path"] for line in told.splitlines()]


def test_every_entry_of_a_snapshot_is_a_line(changed):
    first, last = changed.snapshots()

    told = changed.done("ls").splitlines()

    assert [line.split()[-1] for line in told if " -> " not in line] == [
        "letters",
        "letters/bob.txt",
        "letters/carol.txt",
    ]
    assert told[0].startswith("lrwxrwxrwx ")
    assert told[0].endswith(" link -> letters/bob.txt")
    old = changed.done("ls", "--at", first["snapshot"][:8], "--path", "/photo.bin")
    assert old.startswith("-rw-r--r-- ")
    assert " 102400 " in old
    assert paths(changed.done("ls", "--json", "--at", last["snapshot"])) == [
        "link",
        "letters",
        "letters/bob.txt",
        "letters/carol.txt",
    ]


def test_json_holds_one_entry_a_line_with_times_in_utc(well):
    os.utime(well.data / "photo.bin", (5, 1_700_000_000))
    well.done("backup")

    (line,) = well.done("ls", "--json", "--path", "photo.bin").splitlines()

    found = json.loads(line)
    assert found["snapshot"] == well.snapshots()[-1]["snapshot"]
    assert (found["path"], found["kind"], found["size_bytes"]) == ("photo.bin", "file", 102400)
    assert (found["mode"], found["uid"], found["target"]) == ("0644", os.getuid(), None)
    assert found["modified_at"] == "2023-11-14T22:13:20Z"


def test_mallorys_names_are_shown_but_not_obeyed(well):
    name = os.fsdecode(b"\x1b[2J\xff\n")
    well.write(name, "mallory's")
    well.done("backup")

    assert r" \x1b[2J\xff\x0a" in well.done("ls")
    assert well.done("ls", "--path", name).count("\n") == 1


@pytest.mark.parametrize("command", ["ls --path nowhere", "dump nowhere", "find {a"])
def test_what_is_not_there_is_told(well, command):
    result = well.run(*command.split())

    assert (result.returncode, result.stdout) == (2, "")
    assert "error: " in result.stderr


def test_find_tells_every_version_once_with_the_newest_snapshot_that_holds_it(changed):
    old, new = (snapshot["snapshot"][:8] for snapshot in changed.snapshots())

    told = [line.split() for line in changed.done("find", "*.*").splitlines()]

    assert [(line[0], line[-1]) for line in told] == [
        (new, "letters/bob.txt"),
        (new, "letters/carol.txt"),
        (old, "photo.bin"),
        (old, "letters/bob.txt"),
    ]
    assert paths(changed.done("find", "/letters/c*", "--json")) == ["letters/carol.txt"]
    assert changed.done("find", "photo.bin", "--at", "latest") == ""


def test_a_file_is_dumped_byte_by_byte(changed):
    first = changed.snapshots()[0]["snapshot"]

    photo = dumped(changed, "photo.bin", "--at", first)

    assert (photo.returncode, photo.stdout) == (0, bytes(range(256)) * 400)
    assert dumped(changed, "letters/bob.txt").stdout == b"dear bob, once more\n"
    assert dumped(changed, "link").returncode == 2


def test_a_folder_is_dumped_as_an_archive(changed, root):
    target = root / "unpacked"
    target.mkdir()

    archive = dumped(changed, "/")

    assert archive.returncode == 0, archive.stderr
    subprocess.run(("tar", "-xpC", str(target)), input=archive.stdout, check=True)
    assert differences(target, changed.data) == ""
    with tarfile.open(fileobj=io.BytesIO(dumped(changed, "letters").stdout)) as letters:
        assert letters.getnames() == [".", "bob.txt", "carol.txt"]


def test_a_dump_goes_into_a_new_file_of_alice_alone(well, root):
    target = root / "photo"

    well.done("dump", "photo.bin", "--to", str(target))

    assert target.read_bytes() == (well.data / "photo.bin").read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    again = well.run("dump", "letters/bob.txt", "--to", str(target))
    assert again.returncode == 2
    assert (
        again.stderr.splitlines()[-2] == f"error: {target} is there already and is not overwritten"
    )
    assert target.stat().st_size == 102400


def test_a_dump_that_is_killed_leaves_no_half_file(full, root):
    folder = root / "dumped"
    folder.mkdir()
    with full.start("dump", "large", "--to", str(folder / "large"), to_be_killed=True) as running:
        while not any(folder.iterdir()):
            time.sleep(0.001)
        running.kill()

    left = [path for path in folder.iterdir() if not path.name.startswith(".large.draft-")]
    assert {path.name for path in left} <= {"large"}
    assert all(path.stat().st_size == 8 << 20 for path in left)


def test_a_dump_of_what_is_damaged_fails_and_leaves_no_half_file(well, root):
    packs = sorted(well.repository.glob("data/*/*"), key=lambda path: path.stat().st_size)
    packs[-1].chmod(0o600)
    packs[-1].write_bytes(bytes(packs[-1].stat().st_size))
    target = root / "photo"

    assert well.run("dump", "photo.bin", "--to", str(target)).returncode == 1
    assert not target.exists()
    for path in ("photo.bin", ""):
        result = dumped(well, path or "/")
        assert result.returncode == 1
        assert b"is damaged" in result.stderr
        assert not result.stdout.endswith(bytes(1024))


def test_what_cannot_be_listed_makes_it_partial(well):
    junk = well.repository / "index" / ("0" * 64)
    junk.write_bytes(b"junk")

    for arguments in (("ls",), ("find", "bob.txt"), ("dump", "photo.bin", "--to", "back")):
        result = well.run(*arguments)
        assert result.returncode == 3
        assert "damaged: index/000" in result.stderr
    assert (well.home / "back").stat().st_size == 102400


def test_pipes_get_no_devices_and_alice_is_told(well):
    os.mkfifo(well.data / "pipe")
    well.done("backup")

    result = dumped(well, "/")

    assert result.returncode == 0
    assert b"note: pipe: devices, pipes and sockets are not put into archives" in result.stderr
    assert well.done("ls", "--path", "pipe").startswith("prw-r--r-- ")


def test_a_terminal_is_given_text_alone(well):
    well.write("escape", b"\x1b[2J")
    well.done("backup")

    assert on_a_terminal(well, "dump", "letters/bob.txt") == (0, b"dear bob\r\n")
    for path in ("photo.bin", "escape", "letters"):
        assert on_a_terminal(well, "dump", path) == (2, b"")


@pytest.fixture
def full(well):
    """Alice's machine with more than any pipe holds."""
    for number in range(3000):
        well.write(f"many/{number:0100}", "")
    well.write("large", os.urandom(8 << 20))
    well.done("backup")
    return well


@pytest.mark.parametrize("command", ["ls", "ls --json", "find *", "dump large", "dump /"])
def test_a_reader_who_leaves_changes_nothing(full, command):
    with full.start(*command.split()) as running:
        running.stdout.buffer.read(100)
        running.stdout.close()

        assert running.wait(timeout=20) == 0


@pytest.mark.parametrize("command", ["ls", "dump large"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_though_nobody_reads(full, command, number):
    with full.start(*command.split()) as running:
        running.stdout.buffer.read(100)

        began = time.monotonic()
        running.send_signal(number)

        assert running.wait(timeout=20) == 130
        assert "cancelled default/default: nothing was changed\n" in running.stderr.read()
        assert time.monotonic() - began < 5
