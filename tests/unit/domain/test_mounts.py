"""What is mounted, read as the kernel tells it, and what of it a backup needs."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.mounts import (
    KERNEL_FILE_SYSTEMS,
    Scope,
    answers,
    is_within,
    missing,
    needed,
    seen,
)

WALK = Path(__file__).parents[3] / "engine/core/src/source/walk.rs"
SCOPE = Scope(folder=b"/srv")


def mountinfo(*mounts: str) -> bytes:
    """Return a table of `ID PARENT DEVICE ROOT POINT KIND` as the kernel writes it."""
    lines = []
    for mount in mounts:
        *before, kind = mount.split(" ")
        lines.append(f"{' '.join(before)} rw,relatime shared:1 master:2 - {kind} /dev/x rw\n")
    return "".join(lines).encode()


ROOT = "20 1 8:1 / / ext4"


def points(*mounts: str) -> set[bytes]:
    return set(seen(mountinfo(ROOT, *mounts))) - {b"/"}


def test_mount_points_are_told_with_their_kind():
    found = seen(mountinfo(ROOT, "21 20 8:2 / /srv xfs", "22 20 0:5 / /proc proc"))

    assert found == {b"/": "ext4", b"/srv": "xfs", b"/proc": "proc"}


def test_what_the_kernel_escapes_is_read_as_it_is_named():
    found = points(r"21 20 8:2 / /a\040b\011c\012d\134e ext4", r"22 20 8:3 / /\043\303\251 ext4")

    assert found == {b"/a b\tc\nd\\e", b"/#\xc3\xa9"}


def test_a_name_may_hold_what_ends_a_line_elsewhere():
    assert points("21 20 8:2 / /a\rb\x0bc\x85 ext4") == {"/a\rb\x0bc\x85".encode()}
    assert seen(mountinfo(ROOT) + b"\n") == {b"/": "ext4"}


def test_of_mounts_on_one_point_the_last_one_is_seen():
    both = ("21 20 8:2 / /srv xfs", "22 21 0:9 / /srv tmpfs")

    assert seen(mountinfo(ROOT, *both))[b"/srv"] == "tmpfs"


def test_what_another_mount_hides_is_none():
    hidden = "21 20 8:2 / /srv/www ext4"

    assert points(hidden) == {b"/srv/www"}
    assert points(hidden, "22 20 8:3 / /srv ext4") == {b"/srv"}
    assert points(hidden, "22 20 8:3 / /srv ext4", "23 22 8:4 / /srv/www ext4") == {
        b"/srv",
        b"/srv/www",
    }


@pytest.mark.parametrize(
    "onto_itself",
    [
        ("21 20 8:1 /srv /srv ext4",),
        ("21 20 8:1 /srv/a\\040b /srv/a\\040b ext4",),
        ("21 20 8:1 / / ext4", "22 21 8:1 /srv /srv ext4"),
        ("21 20 8:1 /srv /srv ext4", "22 21 8:1 /srv /srv ext4"),
    ],
)
def test_a_folder_mounted_onto_itself_shows_what_is_there_anyway(onto_itself):
    assert points(*onto_itself) == set()


def test_a_disk_below_a_folder_mounted_onto_itself_is_a_mount():
    assert points("21 20 8:1 /srv /srv ext4", "22 21 8:2 / /srv/disk ext4") == {b"/srv/disk"}
    assert points("21 20 8:2 / /srv ext4", "22 21 8:2 / /srv ext4") == {b"/srv"}


def test_a_folder_mounted_elsewhere_is_a_mount():
    assert points("21 20 8:1 /var/www /srv/www ext4") == {b"/srv/www"}


def test_a_root_that_is_no_mount_and_the_first_of_all_file_systems_are_understood():
    first = "1 1 0:2 / / rootfs"
    assert set(seen(mountinfo("21 20 8:2 / /srv ext4"))) == {b"/srv"}
    assert set(seen(mountinfo(first, ROOT, "21 20 8:2 / /srv ext4"))) == {b"/", b"/srv"}


def test_the_machine_that_runs_the_tests_is_understood():
    found = seen(Path("/proc/self/mountinfo").read_bytes())

    assert found[b"/proc"] == "proc"
    assert all(Path(point.decode()).exists() for point in found)


@pytest.mark.parametrize("line", [b"garbage\n", b"x 1 8:1 / / rw - ext4 y rw\n"])
def test_a_table_that_is_none_is_an_error(line):
    with pytest.raises(ValueError, match=r"."):
        seen(line)


def test_a_backup_needs_what_is_mounted_in_its_source_and_what_that_lies_on():
    table = dict.fromkeys([b"/", b"/srv", b"/srv/a", b"/srv/a/b", b"/srvother", b"/home"], "ext4")

    assert needed(table, SCOPE) == {b"/srv", b"/srv/a", b"/srv/a/b"}
    assert needed(table, Scope(folder=b"/srv/a/b/c")) == {b"/srv/a/b"}
    assert needed(table, Scope(folder=b"/")) == table.keys() - {b"/"}
    assert needed({b"/": "ext4"}, SCOPE) == frozenset()


def test_what_is_left_out_is_not_needed():
    table = dict.fromkeys([b"/srv", b"/srv/a", b"/srv/cold/x", b"/srv/keep"], "ext4")
    one = Scope(folder=b"/srv", one_file_system=True)
    less = Scope(folder=b"/srv", exclude=("/a",), own_folders=(b"/srv/cold",))

    assert needed(table, one) == {b"/srv"}
    assert needed(table, less) == {b"/srv", b"/srv/keep"}


def test_file_systems_of_the_kernel_are_not_needed():
    table = {b"/srv": "proc", b"/srv/proc": "proc", b"/srv/proc/cpu": "fuse.lxcfs"}

    assert needed(table, SCOPE) == frozenset()


def test_what_is_in_memory_alone_is_not_needed():
    table = {b"/srv": "ext4", b"/srv/run": "tmpfs", b"/srv/run/disk": "ext4"}

    assert needed(table, SCOPE) == {b"/srv", b"/srv/run/disk"}
    assert missing([b"/srv/run"], table) == {b"/srv/run"}, "it hides what was a disk"


def test_the_view_of_a_confined_service_needs_what_the_machine_needs():
    machine = ("21 20 0:21 / /proc proc", "22 20 0:6 / /dev devtmpfs", "23 20 0:25 / /run tmpfs")
    disk = "24 20 8:2 / /srv xfs"
    service = (
        "30 1 8:1 / / ext4",
        "31 30 0:21 / /proc proc",
        "32 31 0:21 /sys /proc/sys proc",
        "33 31 0:25 /systemd/inaccessible/reg /proc/kmsg tmpfs",
        "34 30 0:6 / /dev devtmpfs",
        "35 30 0:25 / /run tmpfs",
        "36 35 0:25 /systemd/propagate/unstoppable.service /run/systemd/incoming tmpfs",
        "37 30 8:2 / /srv xfs",
        "38 30 8:1 /var/lib/unstoppable /var/lib/unstoppable ext4",
    )
    whole = Scope(folder=b"/")

    assert needed(seen(mountinfo(ROOT, *machine, disk)), whole) == {b"/srv"}
    assert needed(seen(mountinfo(*service)), whole) == {b"/srv"}


def test_a_machine_with_thousands_of_mounts_is_understood_in_a_moment():
    count = 8000
    lines = (f"{100 + n} 20 0:{n} / /srv/{n} {'proc' if n % 2 else 'xfs'}" for n in range(count))
    scope = Scope(folder=b"/srv", exclude=tuple(f"*.{name}" for name in range(30)))
    table = mountinfo(ROOT, *lines)
    begun = time.process_time()

    assert len(needed(seen(table), scope)) == count / 2

    assert time.process_time() - begun < 5, "for each mount it went through all"


def test_what_is_no_mount_point_any_more_is_missing():
    assert missing([b"/srv", b"/srv/a"], {b"/": "ext4", b"/srv": "ext4"}) == {b"/srv/a"}
    assert missing([b"/srv"], {b"/srv": "proc"}) == {b"/srv"}


def test_what_is_mounted_when_somebody_goes_there_is_not_missing():
    assert missing([b"/srv/later"], {b"/srv/later": "autofs"}) == frozenset()


@pytest.mark.parametrize(
    ("path", "is_sure"),
    [
        (b"/etc/x", True),
        (b"/net/x", False),
        (b"/net", False),
        (b"/network", True),
        (b"/net/disk/x", True),
        (b"/fuse/x", False),
        (b"/later/x", False),
    ],
)
def test_disks_answer_and_servers_and_programs_may_not(path, is_sure):
    table = {b"/": "ext4", b"/net": "nfs4", b"/net/disk": "xfs", b"/fuse": "fuse.sshfs"}

    assert answers(path, table | {b"/later": "autofs"}) is is_sure
    assert answers(path, {}) is False


def test_the_engine_enters_no_other_file_systems():
    source = WALK.read_text().partition("KERNEL_FILE_SYSTEMS")[2].partition("];")[0]

    assert set(re.findall(r"// (\w+)$", source, re.MULTILINE)) == KERNEL_FILE_SYSTEMS


PATHS = st.lists(st.sampled_from([b"a", b"b", b"ab"]), max_size=3).map(
    lambda names: b"/" + b"/".join(names)
)


@given(folder=PATHS, name=PATHS.filter(lambda path: path != b"/"))
def test_a_path_below_a_folder_is_its_path_and_the_folders(folder, name):
    path = folder.rstrip(b"/") + name

    assert is_within(path, folder)
    assert not is_within(folder, path)
    assert b"/" + Scope(folder=folder).below(path) == name
