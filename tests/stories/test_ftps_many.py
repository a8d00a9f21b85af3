"""Folders of FTPS servers with more in them, or longer paths to it, than anybody thinks of."""

import os

import pytest

from tests.servers.ftps import KINDS, Proftpd, PureFtpd, Vsftpd
from tests.servers.ftps_server import Options
from tests.servers.nasty import MANY, make_many
from tests.stories.site import Site, found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_folder_of_many_files_is_stored_whole(tmp_path, served, serve, kind):
    make_many(served)
    site = Site(tmp_path, serve(kind))

    summary = site.backup()
    back = site.restored(summary)

    assert summary.issues == []
    assert found(back) == found(served)
    assert len(found(back)) == MANY


def test_a_listing_that_the_server_cuts_short_is_no_smaller_folder(tmp_path, served, serve):
    (served / "long").mkdir()
    (served / "short").mkdir()
    for number in range(80):
        (served / "long" / f"{number}").touch()
        (served / "short" / f"{number // 2}").touch()
    site = Site(tmp_path, serve(PureFtpd, Options(most_listed=60)))

    summary = site.backup()

    told = [(issue.kind, issue.path) for issue in summary.issues]
    assert told == [("listing", b"long")]
    assert '"226 Output truncated to 60 matches"' in summary.issues[0].message
    assert len(list((site.restored(summary) / "short").iterdir())) == 40


class ForPeople(Proftpd):
    """One that does not say that it lists for programs too."""

    def _configure(self) -> None:
        super()._configure()
        with (self.folder / "proftpd.conf").open("a") as settings:
            settings.write("FactsAdvertise off\n")


@pytest.mark.parametrize("closed", ["closed", "above/closed"])
def test_a_folder_of_which_the_server_lists_nothing_at_all_is_told(tmp_path, served, serve, closed):
    (served / closed).mkdir(parents=True)
    (served / closed / "file").touch()
    (served / closed).chmod(0o311)
    (served / "empty").mkdir()
    site = Site(tmp_path, serve(ForPeople))

    summary = site.backup()

    told = [(issue.kind, issue.path) for issue in summary.issues]
    assert told == [("listing", closed.encode())]
    assert "lists nothing, not even the folder itself" in summary.issues[0].message
    assert b"empty" in found(site.restored(summary))


def test_an_empty_folder_may_be_the_source(tmp_path, serve):
    site = Site(tmp_path, serve(ForPeople))

    assert [issue.kind for issue in site.backup().issues] == ["empty-source"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_many_questions_about_long_paths_are_all_asked(tmp_path, served, serve, kind):
    folder = served.joinpath(*(letter * 200 for letter in "abcd"))
    folder.mkdir(parents=True)
    for number in range(120):
        (folder / f"{number:0100}").write_text(f"{number}\n")
    site = Site(tmp_path, serve(kind))

    summary = site.backup()

    assert summary.issues == []
    assert found(site.restored(summary)) == found(served)


def test_a_name_that_no_command_can_hold_is_told_of_its_file_alone(tmp_path, served, vsftpd):
    (served / "carriage\rreturn").write_text("unreachable\n")
    (served / "quiet").write_text("quiet\n")
    site = Site(tmp_path, vsftpd)

    summary = site.backup()

    told = [(issue.kind, issue.path) for issue in summary.issues]
    assert told == [("unreadable", b"carriage\rreturn")]
    assert "a line break, by which FTP ends a command" in summary.issues[0].message
    assert found(site.restored(summary)) == {b"quiet": b"quiet\n"}


@pytest.mark.parametrize("kind", [Vsftpd, Proftpd, PureFtpd], ids=lambda kind: kind.name)
def test_bytes_of_names_that_telnet_knows_are_bytes(tmp_path, served, serve, kind):
    names = (b"\xff", b"\xff\xff", b"\xff\xff\xff\xff", "пять".encode("cp1251"), b"\xff\xfb!")
    for name in names:
        path = served / os.fsdecode(name)
        path.mkdir()
        for inner in names:
            # Each of one length, so that nothing but the content tells them apart.
            (path / os.fsdecode(inner)).write_text(f"{name.hex():>8}/{inner.hex():>8}\n")
    site = Site(tmp_path, serve(kind))

    summary = site.backup()

    assert summary.issues == []
    assert found(site.restored(summary)) == found(served)
