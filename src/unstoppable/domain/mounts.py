"""What is mounted where, and what of it a backup of a folder needs.

Paths are real, absolute and bytes: names are anybody's.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from unstoppable.domain.exclude import is_left_out

KERNEL_FILE_SYSTEMS = frozenset(
    {
        "proc",
        "sysfs",
        "devpts",
        "cgroup",
        "cgroup2",
        "tracefs",
        "debugfs",
        "securityfs",
        "bpf",
        "configfs",
        "mqueue",
        "pstore",
        "autofs",
        "fusectl",
        "binfmt_misc",
        "hugetlbfs",
        "efivarfs",
        "selinuxfs",
        "rpc_pipefs",
        "nfsd",
    }
)
"""Made up by the kernel; the engine does not enter them, and a test compares the two lists."""
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
"""What is not mounted any more is gone, and nobody can mount it again; sessions and services come
and go with them."""
_ANSWERING = frozenset(
    {
        "bcachefs",
        "btrfs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "hfsplus",
        "iso9660",
        "jffs2",
        "jfs",
        "msdos",
        "nilfs2",
        "ntfs3",
        "overlay",
        "ramfs",
        "reiserfs",
        "rootfs",
        "tmpfs",
        "ubifs",
        "udf",
        "vfat",
        "xfs",
        "zfs",
    }
)
"""What the machine itself reads: a failing disk is an error, where a network is silence."""
_WAITING = "autofs"
"""A place where the kernel mounts as soon as somebody goes there."""
_ROOT = b"/"
_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A line of mountinfo, as proc(5) describes it."""

    id: int
    parent: int
    device: bytes
    root: bytes
    """Which folder of the file system is seen at `point`."""
    point: bytes
    kind: str

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Return the mount of a line; raises ValueError."""
        before, _, after = line.partition(b" - ")
        number, parent, device, root, point = before.split(b" ")[:5]
        return cls(
            id=int(number),
            # Of the first file system of all it is its own.
            parent=int(parent) if parent != number else -1,
            device=device,
            root=_unescaped(root),
            point=_unescaped(point),
            kind=after.split(b" ")[0].decode(errors="replace"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a backup takes in."""

    folder: bytes
    exclude: tuple[str, ...] = ()
    own_folders: tuple[bytes, ...] = ()
    one_file_system: bool = False

    def takes(self, point: bytes) -> bool:
        """Return whether it goes into what is mounted at a point below the folder."""
        if self.one_file_system or point == self.folder or not is_within(point, self.folder):
            return False
        if any(is_within(point, own) for own in self.own_folders):
            return False
        return not is_left_out(self.below(point), self.exclude)

    def below(self, point: bytes) -> bytes:
        """Return a path that lies in the folder, relative to it."""
        return point[len(self.folder.rstrip(_ROOT)) + 1 :]


def is_within(path: bytes, folder: bytes) -> bool:
    """Return whether a path is the folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip(_ROOT) + _ROOT)


def seen(mountinfo: bytes) -> dict[bytes, str]:
    """Return the mount points at which something else is seen than without them, and its kind.

    Neither one that another mount hides, nor a folder that is mounted onto itself: that makes a
    service's view of the machine, and shows what is there anyway. Raises ValueError.
    """
    # A name may hold whatever else ends a line.
    lines = filter(None, mountinfo.split(b"\n"))
    mounts = {mount.id: mount for mount in map(Mount.parse, lines)}
    on_top = {(mount.parent, mount.point): mount for mount in mounts.values()}
    roots = {mount.parent for mount in mounts.values()} - mounts.keys()
    found = {}
    for point in {mount.point for mount in mounts.values()}:
        mount = _reached(point, roots, on_top)
        while mount is not None and _shows_the_same(mount, above := mounts.get(mount.parent)):
            mount = above if above is not None and above.point == point else None
        if mount is not None and mount.point == point:
            found[point] = mount.kind
    return found


def needed(points: Mapping[bytes, str], scope: Scope) -> frozenset[bytes]:
    """Return which mount points a backup needs: what the source lies on, and what it takes in."""
    under = max(
        (point for point in points if is_within(scope.folder, point)), default=_ROOT, key=len
    )
    inside = set(filter(scope.takes, points))
    unentered = {point for point in inside if points[point] in KERNEL_FILE_SYSTEMS}
    taken = {point for point in inside if unentered.isdisjoint(_way(point))}
    return frozenset(point for point in taken | {under} - {_ROOT} if _lasts(points[point]))


def answers(path: bytes, points: Mapping[bytes, str]) -> bool:
    """Return whether who opens a path is sure to get an answer, be it an error.

    Files of a server, or of a program as with fuse, hold whoever asks for them while it is silent.
    """
    above = (point for point in points if is_within(path, point))
    return points.get(max(above, default=_ROOT, key=len)) in _ANSWERING


def missing(remembered: Iterable[bytes], points: Mapping[bytes, str]) -> frozenset[bytes]:
    """Return which of the remembered points are none now."""
    there = {point for point, kind in points.items() if _lasts(kind) or kind == _WAITING}
    return frozenset(remembered) - there


def _lasts(kind: str) -> bool:
    return kind not in KERNEL_FILE_SYSTEMS | _IN_MEMORY


def _reached(
    point: bytes, roots: Iterable[int], on_top: Mapping[tuple[int, bytes], Mount]
) -> Mount | None:
    """Return the mount that who goes to a path from the root arrives in."""
    here = None
    for root in roots:
        at = root
        for path in _way(point):
            while (mount := on_top.get((at, path))) is not None:
                here, at = mount, mount.id
    return here


def _way(path: bytes) -> list[bytes]:
    """Return the folders on the way to a path, and itself."""
    names = path.strip(_ROOT).split(_ROOT)
    return [_ROOT, *(_ROOT + _ROOT.join(names[:depth]) for depth in range(1, len(names) + 1))]


def _shows_the_same(mount: Mount, above: Mount | None) -> bool:
    """Return whether at the mount's point nothing else is seen than without it."""
    if above is None or mount.device != above.device:
        return False
    below = mount.point[len(above.point.rstrip(_ROOT)) :]
    return mount.root.rstrip(_ROOT) == above.root.rstrip(_ROOT) + below.rstrip(_ROOT)


def _unescaped(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes((int(found[1], 8),)), text)
