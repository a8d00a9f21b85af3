"""Runs that take too long are ended, whatever they wait for, and leave what they have."""

from tests.stories.dead_mount import dead
from tests.stories.hasty import hurry
from tests.stories.world import stretch

ONE_HOUR = {"UNSTOPPABLE_MAX_RUNTIME": "1h"}


def test_a_run_that_takes_longer_than_it_may_keeps_what_it_has_and_has_failed(well):
    hurry(well, hour=0.5)
    well.extra |= ONE_HOUR
    large = stretch(well.write("large.bin"), gibibytes=64)

    told = well.run("backup")
    failed = well.last_run()
    large.unlink()
    well.done("backup")

    assert told.returncode == 1
    assert (failed["outcome"], failed["exit_code"]) == ("failed", 1)
    assert failed["message"].startswith(
        "stopped default/default: it took longer than max_runtime allows, 0 s; incomplete snapshot "
    )
    assert f"error: {failed['message']}\n" in told.stderr
    assert failed["snapshot"][:8] in failed["message"]
    assert failed["counts"] is not None
    assert [snapshot["tags"] for snapshot in well.snapshots()] == [[], ["incomplete"], []]


def test_until_there_is_a_complete_snapshot_a_run_may_take_any_time(alice):
    hurry(alice, hour=0.01, look_seconds=0.01)
    alice.extra |= ONE_HOUR
    stretch(alice.write("large.bin"), gibibytes=1)

    alice.done("init", str(alice.data))

    assert alice.last_run()["outcome"] == "succeeded"


def test_one_that_does_not_end_is_killed_and_recorded(well):
    hurry(well, hour=0.5, grace=0.5)
    well.extra |= ONE_HOUR

    with dead(well.data / "gone"):
        told = well.run("backup")
    failed = well.last_run()

    assert told.returncode == 1
    assert failed["outcome"] == "failed"
    assert failed["message"] == (
        "stopped default/default: it took longer than max_runtime allows, 0 s; "
        "it did not end within 0 s and was killed"
    )
    assert f"error: {failed['message']}\n" in told.stderr
    well.done("runs", "--verify")
    assert not well.asked("status")["is_running"]
    (well.data / "gone").rmdir()
    well.done("backup")
