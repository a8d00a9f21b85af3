import os
from pathlib import Path

import pytest

from unstoppable.domain.errors import FileUnsafe, FolderUnusable, PinsInvalid, PinsMissing
from unstoppable.domain.names import ResourceName
from unstoppable.domain.pins import Pins
from unstoppable.runner import pins_file

ALICE = ResourceName(customer="alice", resource="www")
BOB = ResourceName(customer="bob", resource="www")
PINS = Pins(repository_id="a" * 64, config_sha256="b" * 64, key_fingerprint="c" * 64, generation=1)
OTHERS = Pins(
    repository_id="d" * 64, config_sha256="b" * 64, key_fingerprint="c" * 64, generation=1
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pins.json"


def test_pins_are_kept_beside_those_of_others_and_are_private(path):
    pins_file.add(path, BOB, OTHERS)
    pins_file.add(path, ALICE, PINS)

    assert pins_file.require(path, ALICE) == PINS
    assert pins_file.require(path, BOB) == OTHERS
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_group_that_reads_pins_still_reads_them_when_others_come(path):
    pins_file.add(path, BOB, OTHERS)
    os.chown(path, -1, 1)
    path.chmod(0o640)

    pins_file.add(path, ALICE, PINS)

    assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (1, 0o640)


def test_pins_never_change(path):
    pins_file.add(path, ALICE, PINS)
    pins_file.add(path, ALICE, PINS)

    with pytest.raises(PinsInvalid, match="alice/www is pinned to another repository"):
        pins_file.add(path, ALICE, OTHERS)

    assert pins_file.require(path, ALICE) == PINS


def test_no_pins_are_none_until_they_are_required(path):
    assert pins_file.find(path, ALICE) is None
    with pytest.raises(PinsMissing, match="holds no pins of alice/www"):
        pins_file.require(path, ALICE)


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}"])
def test_pins_that_cannot_be_read_are_an_error_and_stay(path, content):
    path.write_bytes(content)

    with pytest.raises(PinsInvalid):
        pins_file.find(path, ALICE)
    with pytest.raises(PinsInvalid):
        pins_file.add(path, ALICE, PINS)

    assert path.read_bytes() == content


def test_a_folder_in_the_way_is_told(path):
    path.mkdir()

    with pytest.raises(PinsInvalid, match="Is a directory"):
        pins_file.find(path, ALICE)


def test_pins_that_others_may_write_are_refused(path):
    pins_file.add(path, ALICE, PINS)
    path.chmod(0o666)

    with pytest.raises(FileUnsafe, match="others may write it"):
        pins_file.require(path, ALICE)


def test_a_folder_that_is_gone_is_told(path):
    with pytest.raises(FolderUnusable):
        pins_file.add(path.parent / "gone/pins.json", ALICE, PINS)
