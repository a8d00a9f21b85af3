"""Folders of FTPS servers with more in them, or longer paths to it, than anybody thinks of."""

import pytest

from tests.servers.ftps import KINDS
from tests.servers.nasty import MANY, make_many
from tests.stories.test_ftps import Site, found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_folder_of_many_files_is_stored_whole(tmp_path, served, serve, kind):
    make_many(served)
    site = Site(tmp_path, serve(kind))

    summary = site.backup()
    back = site.restored(summary)

    assert summary.issues == []
    assert found(back) == found(served)
    assert len(found(back)) == MANY


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
