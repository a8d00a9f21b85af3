"""A process that starts no other one, tried by one that would."""

import json
import subprocess
import sys

import pytest

from unstoppable.runner.childless import stay_childless

TRYING = """
import ctypes, errno, json, os, signal, subprocess, sys, threading
from unstoppable.runner.childless import stay_childless

library = ctypes.CDLL(None, use_errno=True)
CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
told = (0, 0, 0, 0, 17)

def forked(call):
    process = call()
    if process == 0:
        os._exit(0)
    if process < 0:
        raise OSError(ctypes.get_errno(), "")
    try:
        os.waitpid(process, 0)
    except ChildProcessError:
        pass  # it is its parent's

attempts = {
    "fork": lambda: forked(os.fork),
    "clone": lambda: forked(lambda: library.syscall(CLONE, 17, 0, 0, 0, 0)),
    "clone for its parent": lambda: forked(lambda: library.syscall(CLONE, 0x8011, 0, 0, 0, 0)),
    "clone3": lambda: forked(lambda: library.syscall(435, (ctypes.c_uint64 * 8)(*told), 64)),
    "the other numbers": lambda: forked(lambda: library.syscall(0x40000000 + CLONE, 17, 0, 0, 0)),
    "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "a program": lambda: subprocess.run(["/bin/true"], check=True),
    "another group": lambda: os.setpgid(beside, beside),
    "become a program": lambda: os.execv("/bin/nothing", ["nothing"]),
}

def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

beside = os.fork()
if beside == 0:
    signal.pause()
held = sys.argv[1] == "childless" and stay_childless()
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join()
threads = []
other = threading.Thread(target=lambda: threads.append(outcome(attempts["fork"])))
other.start()
other.join()
found = {name: outcome(attempt) for name, attempt in attempts.items()}
os.kill(beside, signal.SIGKILL)
json.dump([held, threads[0], found], sys.stdout)
"""


def told(how: str) -> tuple[bool, str, dict[str, str]]:
    argv = (sys.executable, "-c", TRYING, how)
    result = subprocess.run(argv, capture_output=True, text=True, check=True)
    held, thread, found = json.loads(result.stdout)
    return held, thread, found


def test_without_it_a_process_starts_others():
    held, thread, found = told("free")

    assert (held, thread) == (False, "done")
    assert found.pop("become a program") == "ENOENT"
    assert found.pop("the other numbers") in {"done", "ENOSYS"}, "not each kernel has them"
    assert set(found.values()) == {"done"}


def test_with_it_there_are_threads_and_no_other_process():
    held, thread, found = told("childless")

    assert (held, thread) == (True, "EPERM")
    assert found.pop("clone3") == "ENOSYS", "as on a kernel that does not know it"
    assert set(found.values()) == {"EPERM"}


@pytest.mark.parametrize(
    ("name", "value"), [("os.uname().machine", "riscv64"), ("sys.maxsize", (1 << 31) - 1)]
)
def test_on_another_machine_nothing_is_promised(monkeypatch, name, value):
    if name == "sys.maxsize":
        monkeypatch.setattr(sys, "maxsize", value)
    else:
        monkeypatch.setattr("os.uname", lambda: type("Uname", (), {"machine": value}))

    assert stay_childless() is False
