"""A customer's files are read by a group, edited by people, and written by several at once."""

import os

from tests.stories.test_customers_adding import machine
from tests.stories.test_customers_growing import acme, file, grow, operator, runner

__all__ = ["acme", "machine", "operator", "runner"]


def test_a_group_that_reads_a_customers_files_still_reads_them_when_a_resource_comes(acme):
    pins = file(acme).with_suffix(".pins.json")
    for path in (file(acme), pins):
        os.chown(path, -1, 1)
        path.chmod(0o640)

    acme.done(*grow(acme))

    for path in (file(acme), pins):
        assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (1, 0o640), path
    assert (file(acme).parent / "acme/shop.key").stat().st_mode & 0o777 == 0o600
