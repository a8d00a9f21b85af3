import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from unstoppable.domain.errors import Busy, FolderUnusable
from unstoppable.domain.names import ResourceName
from unstoppable.domain.run import Run
from unstoppable.runner import lane

ALICE = ResourceName(customer="alice", resource="www")
RUN = Run(
    id="R",
    resource=ALICE,
    slot_at=None,
    started_at=datetime(2026, 11, 24, 10, 2, 11, tzinfo=UTC),
    pid=4711,
)
HOLDER = """
import fcntl, sys, time
lane = open(sys.argv[1], "r+")
fcntl.flock(lane, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return lane.lane_file(tmp_path / "hot", ALICE)


def test_the_second_is_told_who_holds_the_lane_and_since_when(path):
    with lane.hold(path, RUN), pytest.raises(Busy) as raised, lane.hold(path, RUN):
        pass

    since = datetime(2026, 11, 24, 10, 2, 11, tzinfo=UTC).astimezone()
    assert str(raised.value) == f"alice/www is busy: run R since {since:%H:%M:%S} by pid 4711"


def test_bob_has_a_lane_of_his_own(path, tmp_path):
    bob = lane.lane_file(tmp_path / "hot", ResourceName(customer="bob", resource="www"))

    with lane.hold(path, RUN), lane.hold(bob, RUN):
        assert lane.is_held(path)
        assert lane.is_held(bob)


def test_a_lane_is_free_again_after_its_run(path):
    assert not lane.is_held(path)
    with lane.hold(path, RUN):
        assert lane.is_held(path)

    assert not lane.is_held(path)
    assert path.read_bytes() == b""
    with lane.hold(path, RUN):
        pass


def test_the_kernel_frees_the_lane_of_a_run_that_was_killed(path):
    with lane.hold(path, RUN):
        pass
    with subprocess.Popen((sys.executable, "-c", HOLDER, str(path)), stdout=subprocess.PIPE) as one:
        assert one.stdout
        one.stdout.readline()
        with pytest.raises(Busy), lane.hold(path, RUN):
            pass
        one.send_signal(signal.SIGKILL)

    with lane.hold(path, RUN):
        assert lane.is_held(path)


@pytest.mark.parametrize(
    "note", [b"", b"\xff\x00", b"[]", b"7", b"{}", b'{"pid": "x"}', b"[" * 4000, b"x" * 10_000]
)
def test_whatever_the_file_says_only_the_kernel_decides(path, note):
    with lane.hold(path, RUN):
        path.write_bytes(note)
        with pytest.raises(Busy) as raised, lane.hold(path, RUN):
            pass

    assert "another run holds its lane" in str(raised.value)
    path.write_bytes(note)
    with lane.hold(path, RUN):
        assert b'"pid": 4711' in path.read_bytes()


def test_a_lane_is_private_and_not_inherited(path):
    with lane.hold(path, RUN):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        lock = next(
            int(fd.name)
            for fd in Path("/proc/self/fd").iterdir()
            if fd.exists() and fd.samefile(path)
        )
        assert not os.get_inheritable(lock)


def test_mallory_cannot_point_the_lane_at_another_file(path, tmp_path):
    path.parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")

    with pytest.raises(FolderUnusable), lane.hold(path, RUN):
        pass

    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_lane(path, make):
    path.parent.mkdir(parents=True)
    make(path)

    with pytest.raises(FolderUnusable), lane.hold(path, RUN):
        pass


def test_a_lane_whose_file_was_removed_is_not_held_by_two_of_the_new_one(path):
    with lane.hold(path, RUN):
        path.unlink()
        with lane.hold(path, RUN), pytest.raises(Busy), lane.hold(path, RUN):
            pass


def test_asking_whether_a_lane_is_held_makes_nobody_skip(path):
    with lane.hold(path, RUN):
        pass
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            lane.is_held(path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with lane.hold(path, RUN):
                pass
    finally:
        is_over.set()
        asking.join()


def test_it_is_known_which_run_holds_a_lane(path):
    assert lane.holder(path) is None
    with lane.hold(path, RUN):
        assert lane.holder(path) == "R"

    assert lane.holder(path) is None


@pytest.mark.parametrize("note", [b"", b"[", b'{"pid": 1}', b"7"])
def test_a_holder_that_does_not_say_who_it_is_is_one_all_the_same(path, note):
    with lane.hold(path, RUN):
        path.write_bytes(note)

        assert lane.holder(path) == lane.UNKNOWN
        assert lane.is_held(path)
