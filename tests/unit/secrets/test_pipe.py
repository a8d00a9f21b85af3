import json
import os
import threading
import time
import traceback

import pytest

from unstoppable.domain.secret_errors import SecretsNotTaken
from unstoppable.secrets import pipe


def handed(content: bytes) -> int:
    """Return the reading end of a pipe that brings this."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            try:
                file.write(content)
            except BrokenPipeError:
                return

    threading.Thread(target=write, daemon=True).start()
    return reading


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def reason(descriptor: int) -> str:
    with pytest.raises(SecretsNotTaken) as raised:
        pipe.take(descriptor, deadline_seconds=0.2)
    shown = "".join(traceback.format_exception(raised.value))
    assert "s3cret" not in shown
    assert raised.value.exit_code == 2
    return str(raised.value).removeprefix(f"cannot take secrets from descriptor {descriptor}: ")


def test_what_is_handed_over_is_taken_and_the_pipe_is_closed():
    descriptor = handed(json.dumps({"KEY": "s3cret", "PASSWORD": "é\n"}).encode())

    assert pipe.take(descriptor) == {"KEY": "s3cret", "PASSWORD": "é\n"}
    assert not is_open(descriptor)


def test_what_is_larger_than_a_pipe_holds_is_taken():
    descriptor = handed(json.dumps({"KEY": "x" * 200_000}).encode())

    assert len(pipe.take(descriptor)["KEY"]) == 200_000


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it brings no JSON"),
        (b'{"KEY": "s3cret"', "it brings no JSON"),
        (b"\xff s3cret", "it brings no JSON"),
        (b'["s3cret"]', "it brings no JSON object"),
        (b'"s3cret"', "it brings no JSON object"),
        (b'{"KEY": 5}', "it brings a value that is no text"),
        (b'{"KEY": {"s3cret": "x"}}', "it brings a value that is no text"),
        (b'{"KEY": "s3cret \\ud800"}', "it brings a value that is no text"),
        (b'{"KEY": "s3cret", "KEY": "other"}', "it brings a name twice"),
        (b"[" * 200_000, "it brings no JSON"),
        (b'{"KEY": "' + b"s3cret" * 100_000, "it brings more than 256 KiB"),
    ],
)
def test_what_is_not_right_is_told_without_what_was_read(content, told):
    descriptor = handed(content)

    assert reason(descriptor) == told
    assert not is_open(descriptor)


def test_a_writer_that_does_not_close_is_not_waited_for():
    reading, writing = os.pipe()
    os.write(writing, b'{"KEY": "s3cret"}')
    began = time.monotonic()

    assert reason(reading) == "it was not closed in time"

    assert time.monotonic() - began < 5
    assert not is_open(reading)
    os.close(writing)


def test_a_writer_that_drips_is_not_waited_for():
    reading, writing = os.pipe()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            os.write(writing, b" ")

    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    kept = os.dup(reading)

    assert reason(reading) == "it was not closed in time"

    stop.set()
    dripping.join()
    os.close(kept)
    os.close(writing)


def test_a_standard_file_is_refused_and_stays_open():
    for descriptor in (0, 1, 2):
        assert reason(descriptor) == "it is no pipe that was passed on"
        assert is_open(descriptor)


def test_what_is_no_pipe_is_refused_and_stays_open(tmp_path):
    (tmp_path / "file").write_text('{"KEY": "s3cret"}')
    os.mkfifo(tmp_path / "named")
    for name in ("file", "named"):
        descriptor = os.open(tmp_path / name, os.O_RDWR)
        assert reason(descriptor) == "it is no pipe that was passed on"
        assert is_open(descriptor)
        os.close(descriptor)
    assert reason(1_000_000) == "it is no pipe that was passed on"
    assert reason(-1) == "it is no pipe that was passed on"


def test_the_writing_end_is_refused():
    reading, writing = os.pipe()

    assert reason(writing) in {"it is not its reading end", "it was not closed in time"}

    os.close(reading)
