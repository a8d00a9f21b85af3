"""The second backup of a server: what changed is read, and nothing else."""

import itertools
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers.ftps import Vsftpd
from tests.servers.ftps_server import Options
from tests.stories.site import Site, fill, found

OLD = 1_700_000_000


def age(path, seconds=OLD):
    os.utime(path, (seconds, seconds))


@pytest.fixture
def ftps(each_server):
    """What changed does not depend on how it is encrypted."""
    return each_server


@pytest.fixture
def filled(site):
    fill(site.server.root)
    return site


def test_with_nothing_changed_no_file_is_read(filled):
    first = filled.backup()

    second = filled.backup()

    assert second.bytes_read == 0
    assert (second.files_new, second.files_changed) == (0, 0)
    assert second.files_unchanged == first.files_new > 150
    assert found(filled.restored(second)) == found(filled.server.root)


def test_a_change_a_deletion_and_a_rename_are_each_seen(filled):
    root = filled.server.root
    filled.backup()
    same_size = (root / "a").read_bytes()[::-1].replace(b"a", b"b")
    (root / "a").write_bytes(same_size)
    age(root / "a", OLD + 1)
    (root / "empty").unlink()
    (root / "a.txt").rename(root / "z.txt")
    (root / "folder 3").rename(root / "folder 9")

    second = filled.backup()

    assert (second.tags, second.issues) == ([], [])
    assert second.files_changed == 1
    assert found(filled.restored(second)) == found(root)


def test_size_and_second_decide_and_nothing_is_opened_for_them(filled):
    root = filled.server.root
    filled.backup()
    before = (root / "large").read_bytes()
    (root / "large").write_bytes(os.urandom(len(before)))
    age(root / "large")

    second = filled.backup()

    assert second.bytes_read == 0
    assert (filled.restored(second) / "large").read_bytes() == before


def test_what_was_written_in_the_second_of_the_backup_is_read_again(site):
    file = site.server.root / "file"
    file.write_text("one")
    site.backup()

    second = site.backup()
    time.sleep(2.1)
    third = site.backup()
    fourth = site.backup()

    # The first may have met the end of a second, the second may have.
    assert second.bytes_read in {0, 3}
    assert (third.bytes_read, fourth.bytes_read) in {(0, 0), (3, 0)}


def test_every_file_is_read_anew_in_time(filled):
    first = filled.backup()
    time.sleep(1.1)

    second = filled.backup(filled.source(reread_seconds=1))

    assert second.bytes_read == first.bytes_read
    assert second.bytes_added < 100_000, "it was all there"


def test_a_folder_that_cannot_be_listed_keeps_what_it_held(filled):
    root = filled.server.root
    first = filled.backup()
    closed = root / "folder 3"
    closed.chmod(0o700)
    (root / "large").unlink()

    second = filled.backup()
    third = filled.backup()

    whole = found(filled.restored(first))
    del whole[b"large"]
    for summary in (second, third):
        assert summary.tags == ["partial"]
        [issue] = summary.issues
        assert (issue.kind, issue.path) == ("listing", b"folder 3")
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        assert f"; what it held at {day}T" in issue.message
        assert summary.bytes_read == 0
        assert found(filled.restored(summary)) == whole

    closed.chmod(0o755)
    (closed / "0" / "new").write_text("new\n")
    fourth = filled.backup()
    assert fourth.tags == []
    assert found(filled.restored(fourth)) == found(root)


def test_a_folder_that_was_deleted_is_not_kept(filled):
    filled.backup()
    for path in sorted((filled.server.root / "folder 3").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (filled.server.root / "folder 3").rmdir()

    second = filled.backup()

    assert second.tags == []
    assert found(filled.restored(second)) == found(filled.server.root)


def test_a_file_that_changes_while_it_is_read_is_told(filled):
    file, is_over = filled.server.root / "large", threading.Event()

    def touch() -> None:
        for seconds in itertools.count(OLD):
            age(file, seconds)
            if is_over.wait(0.002):
                return

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        summary = filled.backup()
    finally:
        is_over.set()
        toucher.join()

    assert summary.tags == ["partial"]
    [issue] = summary.issues
    assert (issue.kind, issue.path) == ("rewritten", b"large")
    assert issue.message == "it changed while it was read"


def test_a_server_whose_times_all_moved_is_neither_read_anew_nor_believed_too_much(
    tmp_path, serve, served
):
    winter = serve(Vsftpd)
    site = Site(tmp_path / "site", winter)
    fill(served)
    site.backup()
    site.server = serve(Vsftpd, Options(local_zone="CEST-2"))
    (served / "a").write_bytes(b"b")
    age(served / "a", OLD + 3600)
    (served / "a-b").write_bytes(b"abc")
    age(served / "a-b", OLD - 7200)

    summer = site.backup()
    site.server = winter
    back = site.backup()

    # To the server in summer the second file has the time that it had: it is a change that
    # nothing tells, as one is that keeps size and time anywhere.
    assert (summer.bytes_read, summer.files_changed) == (1, 1)
    assert (site.restored(summer) / "a").read_bytes() == b"b"
    assert back.bytes_read == 1 + 3
    assert found(site.restored(back)) == found(served)


def test_the_times_are_those_of_the_server(filled):
    filled.backup()
    age(filled.server.root / "large", OLD + 10)

    back = filled.restored(filled.backup())

    assert (back / "large").stat().st_mtime == OLD + 10
    assert (back / "a").stat().st_mtime == OLD


def test_what_lies_in_the_future_is_read_once(filled):
    future = (datetime.now(UTC) + timedelta(days=2)).timestamp()
    age(filled.server.root / "large", int(future))
    filled.backup()

    assert filled.backup().bytes_read == 0
