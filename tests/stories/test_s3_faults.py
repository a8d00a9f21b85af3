"""A bucket that fails, has another address, or a cache that is not its own: nothing is lost."""

import shutil

from tests.servers.flaky import half_of
from tests.servers.s3 import DOMAIN, OPERATOR
from tests.stories.acme import BUCKET, COLD, WRITTEN
from tests.stories.world import Machine, contents, differences


def test_a_server_that_does_half_of_what_it_is_asked_is_asked_again(alice, s3):
    s3.bucket(BUCKET)
    alice.write("large", bytes(range(256)) * 20_000)
    with half_of(s3.port) as flaky:
        alice.extra = {**s3.place(COLD), **OPERATOR.settings}
        alice.extra["UNSTOPPABLE_S3_ENDPOINT"] = flaky.endpoint
        alice.done("init", str(alice.data))
        alice.done("restore", "--exact", "--to", str(alice.root / "back"))
        asked = flaky.asked

    assert differences(alice.data, alice.root / "back") == ""
    assert asked > 40


def test_what_cold_does_not_take_is_not_called_stored(acme):
    before = acme.objects()
    acme.machine.write("new", "something new\n")
    acme.server.allow(BUCKET, acme.rights([key for key in WRITTEN if key != "index/*"]))

    failed = acme.run("backup")
    added = acme.objects().keys() - before.keys()
    acme.server.allow(BUCKET, acme.rights(WRITTEN))
    acme.done("backup")
    acme.done("restore", "--to", str(acme.machine.root / "back"), credential=acme.reader)

    assert failed.returncode == 1
    assert "403 AccessDenied" in failed.stderr
    assert not failed.stdout
    assert added, "packs are written before the index"
    assert all("/data/" in key for key in added)
    assert contents(acme.machine.root / "back") == contents(acme.machine.data)
    assert acme.run("check", "--read-data", "all", credential=acme.reader).returncode == 0


def test_a_snapshot_that_cold_does_not_take_leaves_the_one_before(acme):
    before = acme.done("snapshots", "--json", credential=acme.reader)
    acme.machine.write("new", "something new\n")
    acme.server.allow(BUCKET, acme.rights([key for key in WRITTEN if key != "snapshots/*"]))

    failed = acme.run("backup")
    after = acme.done("snapshots", "--json", credential=acme.reader)
    acme.server.allow(BUCKET, acme.rights(WRITTEN))
    acme.done("backup")

    assert failed.returncode == 1
    assert "403 AccessDenied" in failed.stderr
    assert after == before
    assert acme.run("check", "--read-data", "all", credential=acme.reader).returncode == 0


def test_the_cache_of_another_repository_misleads_nobody(acme, root):
    (root / "bob").mkdir()
    bob = Machine(root / "bob")
    bob.write("file")
    bob.done("init", str(bob.data))
    own = acme.machine.hot / "default/default/g1"
    shutil.rmtree(own)
    shutil.copytree(bob.hot / "default/default/g1", own)
    acme.machine.write("new", "something new\n")

    result = acme.run("backup")
    acme.done("restore", "--to", str(acme.machine.root / "back"), credential=acme.reader)

    assert result.returncode == 0, result.stderr
    assert "the metadata cache was not what cold says" in result.stderr
    assert contents(acme.machine.root / "back") == contents(acme.machine.data)
    assert any((own / "aside").iterdir())


def test_a_server_may_be_told_the_bucket_as_part_of_its_name(apart, s3):
    machine = apart.machine
    names = machine.root / "hosts"
    names.write_text(f"127.0.0.1 localhost {BUCKET}.{DOMAIN}\n")
    apart.do("mount", "--bind", names, "/etc/hosts")
    machine.extra = {
        **s3.place(COLD),
        **OPERATOR.settings,
        "UNSTOPPABLE_S3_ENDPOINT": f"http://{DOMAIN}:{s3.port}",
        "UNSTOPPABLE_S3_ADDRESSING": "virtual-host",
    }
    s3.bucket(BUCKET)

    machine.done("init", str(machine.data))
    machine.done("restore", "--exact", "--to", str(machine.root / "back"))

    assert differences(machine.data, machine.root / "back") == ""
    assert s3.client().list_objects_v2(Bucket=BUCKET)["KeyCount"] > 4
