import errno
import sys

import pytest

from unstoppable.cli import output
from unstoppable.domain.errors import OutputFailed


class Broken:
    """A stdout that fails."""

    def __init__(self, number: int, sink: int) -> None:
        self.number, self.sink = number, sink

    def write(self, _text: str) -> int:
        raise OSError(self.number, "broken")

    def flush(self) -> None: ...

    def fileno(self) -> int:
        return self.sink


@pytest.fixture
def broken(monkeypatch, tmp_path):
    def breaking(number: int) -> None:
        monkeypatch.setattr(sys, "stdout", Broken(number, sink.fileno()))

    with (tmp_path / "sink").open("w") as sink:
        yield breaking


def test_chunks_are_written_as_they_come(capsysbinary):
    chunks: list[str | bytes] = [b"\xff", "é\n"]

    output.stream(iter(chunks))

    assert capsysbinary.readouterr().out == b"\xff" + "é\n".encode()


def test_a_reader_who_left_ends_the_writing_quietly(broken):
    broken(errno.EPIPE)
    chunks = iter(["one", "two", "three"])

    output.stream(chunks)

    assert list(chunks) == ["two", "three"]


def test_a_full_disk_is_told(broken):
    broken(errno.ENOSPC)

    with pytest.raises(OutputFailed, match="cannot write the output: broken"):
        output.data("x")
