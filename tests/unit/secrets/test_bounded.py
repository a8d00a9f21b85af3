"""Files that hang, and files that are none."""

import os
import threading
import time
from pathlib import Path

import pytest

from unstoppable.domain.errors import SecretUnreadable
from unstoppable.secrets import bounded
from unstoppable.secrets.reference import InFile, read_trusted


@pytest.fixture
def hanging(tmp_path, monkeypatch):
    """A file whose reading hangs until the test ends."""
    path, ended, reads = tmp_path / "secret", threading.Event(), []
    path.write_text("s3cret")
    path.chmod(0o600)
    opened = bounded.open_plain

    def hang(asked):
        reads.append(asked)
        ended.wait(30)
        return opened(asked)

    monkeypatch.setattr("unstoppable.secrets.reference.open_plain", hang)
    monkeypatch.setattr(bounded, "FILE_SECONDS", 0.2)
    yield path, reads
    ended.set()


def test_a_file_that_hangs_is_given_up_and_costs_one_thread_whoever_asks(hanging):
    path, reads = hanging
    began = time.monotonic()

    with pytest.raises(SecretUnreadable) as first:
        InFile(name="X", path=path).resolve()
    with pytest.raises(SecretUnreadable) as second:
        InFile(name="X", path=path).resolve()

    assert time.monotonic() - began < 5
    assert str(first.value) == f"cannot read {path} for X: whoever reads it hangs, for 0.2 s by now"
    assert str(second.value) == f"cannot read {path} for X: whoever reads it hangs"
    assert len(reads) == 1


def test_a_file_that_hung_is_read_again_once_it_does_not(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("text")
    ended = threading.Event()
    monkeypatch.setattr(bounded, "FILE_SECONDS", 0.1)
    with pytest.raises(OSError, match="hangs"):
        bounded.bounded(path, lambda: ended.wait(10))
    ended.set()
    bounded._hanging[path].join()

    assert read_trusted(path) == b"text"
    assert path not in bounded._hanging


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (os.mkfifo, "it is a pipe, not a file"),
        (lambda path: path.symlink_to("/dev/null"), "it is a device, not a file"),
        (os.mkdir, "Is a directory"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, make, cause):
    path = tmp_path / "secret"
    make(path)

    with pytest.raises(SecretUnreadable, match=cause):
        InFile(name="X", path=path).resolve()


def test_no_thread_is_left(tmp_path):
    path = tmp_path / "file"
    path.touch(0o600)
    before = len(list(Path("/proc/self/task").iterdir()))

    for _ in range(50):
        read_trusted(path)
        assert len(list(Path("/proc/self/task").iterdir())) == before
