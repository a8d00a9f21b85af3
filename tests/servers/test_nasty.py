"""The nasty tree is one that real servers serve, and as nasty as it says."""

import ftplib
import os
import subprocess

import pytest

from tests.servers.ftps import KINDS
from tests.servers.ftps_client import listed, session
from tests.servers.ftps_server import USER_ID
from tests.servers.nasty import DEEP, GROUPS, MANY, MOMENTS, make_nasty


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_server_serves_the_nasty_tree(served, serve, kind):
    make_nasty(served)
    server = serve(kind)

    with session(server) as ftp:
        assert listed(ftp, "/") == GROUPS.keys()
        assert len(listed(ftp, "/many")) == MANY
        assert len(listed(ftp, "/times")) == len(MOMENTS)
        ftp.cwd("/deep/" + "/".join(f"{level:02}" for level in range(1, DEEP + 1)))
        for closed in ("000", "644"):
            with pytest.raises(ftplib.error_perm):
                ftp.cwd(f"/modes/{closed}")
        with pytest.raises(ftplib.error_perm):
            ftp.retrbinary("RETR /modes/unreadable", print)


def test_who_owns_the_nasty_tree_cannot_read_all_of_it_either(served):
    make_nasty(served, without=GROUPS.keys() - {"modes"})
    for path in (served, *served.rglob("*")):
        os.chown(path, USER_ID, USER_ID)
    as_user = ("setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups")

    found = subprocess.run(
        (*as_user, "find", served, "-type", "f", "-readable"), capture_output=True, check=False
    )

    assert found.stdout.split() == [os.fsencode(served / "modes/readable")]


def test_times_are_to_the_second(served):
    make_nasty(served, without=GROUPS.keys() - {"times"})

    told = {path.stat().st_mtime for path in (served / "times").iterdir()}

    assert told == {moment.timestamp() for moment in MOMENTS}


def test_groups_of_the_nasty_tree_can_be_left_out(served):
    make_nasty(served, without=("many", "deep"))

    assert {path.name for path in served.iterdir()} == GROUPS.keys() - {"many", "deep"}
