"""A machine of a server's own, as far as it can see: its users, their passwords, and /run.

Nothing of it is left behind: mounts and processes are in namespaces that end with the server.
"""

import functools
import os
import subprocess
from pathlib import Path

_UNPACK = Path(__file__).with_name("ftp-servers")
_PASSWD = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"
_PAM = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
_ENTER = """
set -e
cd "$0"
mount --bind passwd /etc/passwd
mount --bind shadow /etc/shadow
mount --bind group /etc/group
mount --bind pam.d /etc/pam.d
mount -t tmpfs -o mode=755 run /run
mkdir -m 555 /run/empty
cd /
"$@"
exit $?
"""
# Not exec'd: a vsftpd that inherits a child which it does not know ends.


def make_machine(etc: Path, user: str, password: str, user_id: int, home: Path) -> None:
    """Write what /etc of a machine has on its one user."""
    argv = ("openssl", "passwd", "-6", "-stdin")
    done = subprocess.run(argv, input=password, check=True, capture_output=True, text=True)
    (etc / "pam.d").mkdir(parents=True, exist_ok=True)
    (etc / "passwd").write_text(f"{_PASSWD}{user}:x:{user_id}:{user_id}::{home}:/bin/sh\n")
    (etc / "group").write_text(f"{_GROUP}{user}:x:{user_id}:\n")
    (etc / "shadow").write_text(f"{user}:{done.stdout.strip()}:20000:0:99999:7:::\n")
    (etc / "shadow").chmod(0o600)
    for service in ("vsftpd", "other"):
        (etc / "pam.d" / service).write_text(_PAM)


def on_machine(etc: Path, *argv: str) -> tuple[str, ...]:
    """Return what runs a command on a machine, until that command and all it started are gone."""
    apart = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork")
    return (*apart, "sh", "-c", _ENTER, str(etc), *argv)


def first_process(entered: int) -> int:
    """Return the process on a machine that the others there end with."""
    children = Path(f"/proc/{entered}/task/{entered}/children").read_text().split()
    return int(children[0]) if children else entered


@functools.cache
def servers() -> Path:
    """Return the folder that vsftpd, proftpd and pure-ftpd are unpacked in."""
    if unpacked_before := os.environ.get("FTP_SERVERS"):
        return Path(unpacked_before)
    done = subprocess.run((_UNPACK,), stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def libraries() -> str:
    """Return what LD_LIBRARY_PATH has to be for them."""
    folders = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*")
    return ":".join(str(found) for folder in folders for found in servers().glob(folder))
