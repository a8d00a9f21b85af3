"""What is mounted in a source, and what is not mounted any more: rows of docs/sources.md."""

import signal
import sqlite3
from contextlib import closing

from tests.stories.rows import plain, row, set_up
from tests.stories.world import Machine, contents, stretch, wait_until_reading

GONE = (
    "was a mount point at the last backup and is none now: "
    "what was mounted there is missing from this backup"
)
ACCEPT = "`unstoppable backup --accept-shrink`"


def lacking(machine: Machine, *arguments: str) -> list[str]:
    """Make a backup; return the mounts that it says it lacks, because of which it is partial."""
    result = machine.run("backup", *arguments)
    marks = [line for line in result.stderr.splitlines() if line.endswith(GONE)]
    names = [line.removeprefix("  unmounted: ").removesuffix(f": {GONE}") for line in marks]
    assert result.returncode == (3 if names else 0), (result.stdout, result.stderr)
    assert (ACCEPT in result.stderr) == bool(names)
    return names


@row("a file system mounted in the source")
def test_what_is_mounted_in_the_source_is_part_of_it(apart, told):
    folder = apart.memory("disk", "file", "folder/file")
    apart.seen(folder).chmod(0o750)

    told(set_up(apart.machine))

    back = plain(apart.machine)
    assert contents(back / "disk").keys() == {"file", "folder/file"}
    assert (back / "disk").stat().st_mode & 0o777 == 0o750


@row("with `UNSTOPPABLE_ONE_FILE_SYSTEM`")
def test_one_file_system_leaves_an_empty_folder_and_follows_bind_mounts(apart, told):
    machine = apart.machine
    machine.extra["UNSTOPPABLE_ONE_FILE_SYSTEM"] = "yes"
    apart.memory("disk", "file")
    (machine.data / "bound").mkdir()
    apart.do("mount", "--bind", machine.data / "letters", machine.data / "bound")

    told(set_up(machine))

    assert contents(plain(machine)).keys() == {"photo.bin", "letters/bob.txt", "bound/bob.txt"}
    assert (plain(machine) / "disk").is_dir()
    apart.do("umount", machine.data / "disk")
    apart.do("umount", machine.data / "bound")
    assert lacking(machine) == []


@row("file systems of the kernel")
def test_file_systems_of_the_kernel_are_not_entered(apart, told):
    machine = apart.machine
    for kind in ("proc", "sysfs", "mqueue"):
        (machine.data / kind).mkdir()
        apart.do("mount", "-t", kind, kind, machine.data / kind)

    told(set_up(machine))

    back = plain(machine)
    assert [list((back / kind).iterdir()) for kind in ("proc", "sysfs", "mqueue")] == [[], [], []]
    apart.do("umount", machine.data / "proc")
    assert lacking(machine) == []


@row("a source mounted inside itself")
def test_a_source_mounted_inside_itself_comes_to_an_end(apart, told):
    machine = apart.machine
    inside = machine.write("letters/inside/x").parent
    apart.do("mount", "--bind", machine.data, inside)

    told(set_up(machine))

    assert contents(plain(machine)).keys() == {"photo.bin", "letters/bob.txt"}


@row("a mount that is not there")
def test_a_disk_that_is_not_there_is_told_until_it_is_or_somebody_says_that_it_is_gone(apart, told):
    machine = apart.machine
    folder = apart.disk("www", "file")
    set_up(machine)
    apart.do("umount", folder)

    told(machine.run("backup"))

    assert machine.last_run()["issues"] == [{"kind": "unmounted", "path": "www", "message": GONE}]
    assert lacking(machine) == ["www"]
    apart.disk("www", "file")
    assert lacking(machine) == []
    apart.do("umount", folder)
    assert lacking(machine) == ["www"]
    assert lacking(machine, "--accept-shrink") == []
    assert lacking(machine) == []


@row("a source that is not mounted")
def test_a_source_that_is_not_mounted_fails_before_anything_is_stored(apart, told):
    machine = apart.machine
    apart.mount(machine.data, "file")
    set_up(machine)
    before = contents(machine.cold)
    apart.do("umount", machine.data)

    result = machine.run("backup")

    told(result)
    assert result.stderr == (
        f"error: the source {machine.data} of default/default was a mount point at the last "
        "backup and is none now: nothing was stored\n"
        f"hint: mount it; if it is gone for good, {ACCEPT}\n"
    )
    assert machine.run("backup", "--dry-run").returncode == 1
    assert contents(machine.cold) == before
    assert machine.last_run()["outcome"] == "failed"
    assert lacking(machine, "--accept-shrink") == lacking(machine) == []
    assert contents(plain(machine)).keys() == {"photo.bin", "letters/bob.txt"}


def test_a_source_below_what_is_not_mounted_fails_too(apart):
    machine = apart.machine
    machine.data = apart.mount(machine.root / "disk", "www/file") / "www"
    set_up(machine)
    apart.do("umount", machine.data.parent)
    (machine.data / "somebody made it").mkdir(parents=True)

    result = machine.run("backup")

    assert result.returncode == 1
    assert f"lay below {machine.data.parent}, which was a mount point at the" in result.stderr


def test_the_source_is_expected_to_be_mounted_with_one_file_system_too(apart):
    machine = apart.machine
    machine.extra["UNSTOPPABLE_ONE_FILE_SYSTEM"] = "yes"
    apart.mount(machine.data, "file")
    set_up(machine)

    apart.do("umount", machine.data)

    assert machine.run("backup").returncode == 1


def test_disks_in_disks_are_told_each(apart):
    machine = apart.machine
    apart.disk("a", "file")
    apart.disk("a/b/c", "file")
    set_up(machine)

    apart.do("umount", machine.data / "a/b/c")
    assert lacking(machine) == ["a/b/c"]
    apart.do("umount", machine.data / "a")
    assert lacking(machine) == ["a", "a/b/c"]
    apart.disk("a", "file")
    assert lacking(machine) == ["a/b/c"]


def test_names_that_the_kernel_escapes_are_told_as_they_are(apart):
    names = {"a b": "a b", "line\nbreak": r"line\x0abreak", "caf\udce9": r"caf\xe9", "\\": "\\\\"}
    for name in names:
        apart.disk(name, "file")
    set_up(apart.machine)

    assert lacking(apart.machine) == []
    for name in names:
        apart.do("umount", apart.machine.data / name)
    assert sorted(lacking(apart.machine)) == sorted(names.values())


def test_what_is_left_out_is_not_expected_and_leaving_it_out_is_a_way_out(apart):
    machine = apart.machine
    machine.extra["UNSTOPPABLE_EXCLUDE"] = "/cache, *.tmp"
    for name in ("cache/disk", "x.tmp", "www"):
        apart.disk(name, "file")
    set_up(machine)
    for name in ("cache/disk", "x.tmp", "www"):
        apart.do("umount", machine.data / name)

    assert lacking(machine) == ["www"]

    machine.extra["UNSTOPPABLE_EXCLUDE"] += ", www"
    assert lacking(machine) == []
    del machine.extra["UNSTOPPABLE_EXCLUDE"]
    assert lacking(machine) == [], "it was no longer expected"


def test_what_is_in_memory_alone_is_not_expected(apart):
    machine = apart.machine
    apart.memory("session", "file")
    set_up(machine)
    apart.do("umount", machine.data / "session")

    assert lacking(machine) == []


def test_a_single_file_that_is_mounted_is_not_expected(apart):
    machine = apart.machine
    apart.do("mount", "--bind", machine.data / "letters/bob.txt", machine.data / "photo.bin")
    set_up(machine)
    assert contents(plain(machine))["photo.bin"] == contents(machine.data)["letters/bob.txt"]
    apart.do("umount", machine.data / "photo.bin")

    assert lacking(machine) == []


def test_our_own_folders_are_not_expected(apart):
    machine = apart.machine
    machine.hot = apart.disk("hot")
    set_up(machine)
    apart.do("umount", machine.hot)

    assert lacking(machine) == []


def test_what_another_mount_hides_is_missing_and_what_lies_under_one_is_there(apart):
    machine = apart.machine
    apart.disk("a/b", "file")
    apart.disk("twice", "file")
    apart.disk("twice", "other")
    set_up(machine)

    apart.do("umount", machine.data / "twice")
    assert lacking(machine) == []
    apart.disk("a", "file")
    assert lacking(machine) == ["a/b"]


def test_a_folder_that_a_service_mounts_onto_itself_is_no_mount(apart):
    machine = apart.machine
    apart.do("mount", "--bind", machine.data, machine.data)
    apart.do("mount", "--bind", machine.data / "letters", machine.data / "letters")
    set_up(machine)
    apart.do("umount", machine.data / "letters")
    apart.do("umount", machine.data)

    assert lacking(machine) == []


def test_a_run_that_ended_early_neither_tells_nor_forgets_what_is_missing(apart):
    machine = apart.machine
    folder = apart.disk("www", "file")
    set_up(machine)
    apart.do("umount", folder)
    large = stretch(machine.write("large"), gibibytes=64)
    with machine.start("backup", "--accept-shrink") as running:
        wait_until_reading(running, large)
        running.send_signal(signal.SIGTERM)
        _, talk = running.communicate()
    assert (running.returncode, "unmounted" in talk) == (130, False)
    large.unlink()

    assert lacking(machine) == ["www"]


@row("what was mounted is not known, because the journal cannot be read")
def test_what_is_not_known_of_mounts_is_never_a_success(apart, told):
    machine = apart.machine
    set_up(machine)
    read_by_nobody(machine)

    result = machine.run("backup")

    told(result)
    assert "hint: a disk that is not mounted goes unnoticed: is /proc mounted" in result.stderr
    assert "error: this run could not be recorded" in result.stderr


def read_by_nobody(machine: Machine) -> None:
    """Let the journal be one that this program does not know how to read."""
    with closing(sqlite3.connect(machine.state / "journal.sqlite3")) as opened:
        opened.execute("PRAGMA user_version = 99")
