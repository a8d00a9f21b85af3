"""What of an entry beside its content is kept: rows of the table in docs/sources.md.

Made by root, on a file system that knows attributes and ACLs.
"""

import fcntl
import os
import re
import socket
import stat
import struct
import subprocess
from pathlib import Path

from tests.stories.rows import plain, row, set_up

CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
"""cap_net_bind_service, effective, as the kernel keeps it."""
SERVICE = Path(__file__).parents[2] / "src/unstoppable/domain/caller.py"
GET_FLAGS, SET_FLAGS, NO_DUMP = 0x80086601, 0x40086602, 0x40


def attributes(path: Path) -> dict[str, bytes]:
    """Return the extended attributes of an entry, but ACLs."""
    names = os.listxattr(path, follow_symlinks=False)
    return {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in names
        if not name.startswith("system.")
    }


def owner(path: Path) -> tuple[int, int]:
    """Return the numbers of an entry's owner and group."""
    found = path.lstat()
    return found.st_uid, found.st_gid


def mode(path: Path) -> int:
    """Return the mode of an entry without its kind."""
    return stat.S_IMODE(path.lstat().st_mode)


@row("the source's own folder")
def test_the_folder_itself_comes_back_as_it_was(alice, told):
    os.setxattr(alice.data, "user.a", b"1")
    os.setxattr(alice.data, "trusted.a", b"1")
    os.chown(alice.data, 1234, 4321)
    alice.data.chmod(0o3751)
    os.utime(alice.data, ns=(5, 123_456_789))

    told(set_up(alice))

    back, exact = plain(alice), alice.restored()
    assert (mode(back), back.stat().st_mtime_ns, owner(back)) == (0o1751, 123_456_789, (0, 0))
    assert attributes(back) == {"user.a": b"1"}
    assert (mode(exact), owner(exact)) == (0o3751, (1234, 4321))
    assert attributes(exact) == {"user.a": b"1", "trusted.a": b"1"}


@row("symbolic links")
def test_symbolic_links_come_back_and_are_never_followed(alice, told, root):
    (root / "secret").write_text("bob's\n")
    targets = {"dangling": "nowhere", "out": f"{root}/secret", "a": "b", "b": "a", "up": ".."}
    for name, target in targets.items():
        (alice.data / name).symlink_to(target)
        os.chown(alice.data / name, 1234, 4321, follow_symlinks=False)
        os.utime(alice.data / name, ns=(5, -7_000_000_003), follow_symlinks=False)

    told(set_up(alice))

    for back, owned in ((plain(alice), (0, 0)), (alice.restored(), (1234, 4321))):
        assert {name: os.readlink(back / name) for name in targets} == targets  # noqa: PTH115
        assert {(back / name).lstat().st_mtime_ns for name in targets} == {-7_000_000_003}
        assert {owner(back / name) for name in targets} == {owned}
    assert alice.asked("snapshots")["snapshots"][0]["bytes_total"] == 102_409


@row("attributes of users")
def test_attributes_of_users_come_back(alice, told):
    large = {"user.large": os.urandom(2000), "user.empty": b"", "user.\u00e9": b"\0"}
    for name, value in large.items():
        os.setxattr(alice.data / "photo.bin", name, value)
    os.setxattr(alice.data / "letters", "user.folder", b"1")

    told(set_up(alice))

    back = plain(alice)
    assert attributes(back / "photo.bin") == large
    assert attributes(back / "letters") == {"user.folder": b"1"}


@row("attributes of the system")
def test_attributes_of_the_system_come_back_exactly_alone(alice, told):
    system = {"trusted.a": b"1", "security.capability": CAPABILITY}
    for name, value in system.items():
        os.setxattr(alice.data / "photo.bin", name, value)
    (alice.data / "link").symlink_to("photo.bin")
    os.setxattr(alice.data / "link", "trusted.link", b"1", follow_symlinks=False)

    told(set_up(alice))

    back, exact = plain(alice), alice.restored()
    assert attributes(back / "photo.bin") == attributes(back / "link") == {}
    assert attributes(exact / "photo.bin") == system
    assert attributes(exact / "link") == {"trusted.link": b"1"}


def test_what_is_trusted_takes_a_capability_that_the_confined_service_has_not(alice):
    allowed = re.search(r"^CapabilityBoundingSet=(.+)$", SERVICE.read_text(), re.MULTILINE)
    assert allowed
    names = allowed[1].lower().replace("cap_", "+").split(" ")
    os.setxattr(alice.data / "photo.bin", "trusted.a", b"1")
    os.setxattr(alice.data / "photo.bin", "security.capability", CAPABILITY)
    alice.entered = ("setpriv", f"--bounding-set=-all,{','.join(names)}")

    result = set_up(alice)

    assert (result.returncode, "issue" in result.stderr) == (0, False)
    alice.entered = ()
    assert attributes(alice.restored() / "photo.bin") == {"security.capability": CAPABILITY}


@row("attributes whose names are no text")
def test_an_attribute_whose_name_is_no_text_is_told(alice, told):
    os.setxattr(alice.data / "photo.bin", b"user.\xff", b"1")
    os.setxattr(alice.data / "photo.bin", "user.a", b"1")

    told(set_up(alice))

    assert attributes(plain(alice) / "photo.bin") == {"user.a": b"1"}


def acl(path: Path) -> str:
    """Return the ACLs of an entry."""
    argv = ("getfacl", "--numeric", "--omit-header", "--absolute-names", path)
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@row("ACLs")
def test_acls_come_back(alice, told):
    photo, letters = alice.data / "photo.bin", alice.data / "letters"
    subprocess.run(("setfacl", "-m", "u:1234:r,g:4321:rw", photo), check=True)
    subprocess.run(("setfacl", "-m", "d:u:1234:rwx,u:1234:rx", letters), check=True)

    told(set_up(alice))

    back = plain(alice)
    assert (acl(back / "photo.bin"), acl(back / "letters")) == (acl(photo), acl(letters))
    assert "user:1234:r--" in acl(photo)
    assert "default:user:1234:rwx" in acl(letters)


@row("owners and groups")
def test_owners_come_back_by_number(alice, told):
    for path in (alice.data / "photo.bin", alice.data / "letters"):
        os.chown(path, 1234, 4321)

    told(set_up(alice))

    for back, owned in ((plain(alice), (0, 0)), (alice.restored(), (1234, 4321))):
        assert owner(back / "photo.bin") == owner(back / "letters") == owned


@row("modes")
def test_modes_come_back(alice, told):
    modes = (0o000, 0o400, 0o644, 0o757)
    for number in modes:
        alice.write(f"file-{number}").chmod(number)
        alice.write(f"folder-{number}/x").parent.chmod(number)

    told(set_up(alice))

    back = plain(alice)
    for number in modes:
        assert mode(back / f"file-{number}") == mode(back / f"folder-{number}") == number


@row("setuid, setgid, sticky")
def test_special_bits_come_back_exactly_alone_but_the_sticky_one_of_folders(alice, told):
    (alice.data / "photo.bin").chmod(0o7755)
    (alice.data / "letters").chmod(0o7777)

    told(set_up(alice))

    back, exact = plain(alice), alice.restored()
    assert (mode(back / "photo.bin"), mode(back / "letters")) == (0o755, 0o1777)
    assert (mode(exact / "photo.bin"), mode(exact / "letters")) == (0o7755, 0o7777)


@row("times of change")
def test_times_come_back_to_the_nanosecond(alice, told):
    (alice.data / "link").symlink_to("x")
    for name in ("photo.bin", "letters", "link"):
        for when in (-1, -1_500_000_000_000_000_001, 4_102_444_800_123_456_789):
            alice.write(f"{when}/{name}/x")
            os.utime(alice.data / f"{when}/{name}/x", ns=(0, when))
            os.utime(alice.data / f"{when}/{name}", ns=(0, when))
        os.utime(alice.data / name, ns=(0, -123_456_789), follow_symlinks=False)

    told(set_up(alice))

    back = plain(alice)
    for path in alice.data.rglob("*"):
        was, now = path.lstat(), (back / path.relative_to(alice.data)).lstat()
        assert was.st_mtime_ns == now.st_mtime_ns, path


@row("times beyond the years 0 to 9999")
def test_a_time_that_no_calendar_has_is_told(alice, apart, told):
    folder = apart.memory("disk", "file")
    os.utime(apart.seen(folder) / "file", (300_000_000_000, 300_000_000_000))

    told(set_up(alice))

    assert (plain(alice) / "disk/file").stat().st_mtime < 10_000_000_000


@row("other times")
def test_the_last_access_is_not_kept(alice, told):
    os.utime(alice.data / "photo.bin", ns=(1_000_000_007, 2_000_000_009))

    told(set_up(alice))

    assert (alice.data / "photo.bin").stat().st_atime_ns == 1_000_000_007, "reading is no access"
    back = (alice.restored() / "photo.bin").stat()
    assert (back.st_atime_ns, back.st_mtime_ns) == (2_000_000_009, 2_000_000_009)


def flags(path: Path, *, add: int = 0) -> int:
    """Return the flags of a file, after some were added."""
    opened = os.open(path, os.O_RDONLY)
    try:
        found = int.from_bytes(fcntl.ioctl(opened, GET_FLAGS, bytes(8)), "little")
        if add:
            fcntl.ioctl(opened, SET_FLAGS, (found | add).to_bytes(8, "little"))
        return found
    finally:
        os.close(opened)


@row("flags")
def test_flags_are_not_kept(alice, told):
    flags(alice.data / "photo.bin", add=NO_DUMP)
    assert flags(alice.data / "photo.bin") & NO_DUMP

    told(set_up(alice))

    assert not flags(alice.restored() / "photo.bin") & NO_DUMP


@row("pipes, sockets, devices")
def test_special_files_come_back_exactly_alone_and_are_never_opened(alice, told):
    os.mkfifo(alice.data / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(alice.data / "socket"))
    os.mknod(alice.data / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(alice.data / "loop", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    names = ("pipe", "socket", "null", "loop")

    told(set_up(alice))

    back, exact = plain(alice, notes=4), alice.restored()
    assert not any((back / name).exists() for name in names)
    for name in names:
        was, now = (alice.data / name).lstat(), (exact / name).lstat()
        assert (was.st_mode, was.st_rdev) == (now.st_mode, now.st_rdev)


def test_what_a_user_may_not_set_is_told(nobody):
    os.chown(nobody.data / "letters/bob.txt", 0, 0)
    nobody.done("backup")

    result = nobody.run("restore", "--exact", "--to", str(nobody.home / "back"))

    assert result.returncode == 3
    assert "  metadata: letters/bob.txt: cannot set its owner: " in result.stderr
    assert (nobody.home / "back/letters/bob.txt").read_text() == "dear bob\n"
