"""The folder of customers that is not there for a moment, while something replaces it."""

from tests.stories.hoster import NEVER, Hoster
from tests.stories.world import Machine
from unstoppable.domain.names import ResourceName
from unstoppable.runner.journal import Journal


def test_a_tick_that_finds_no_folder_of_customers_runs_and_records_nothing(hoster: Hoster):
    hoster.add("acme", www=NEVER)
    hoster.machine.done("schedule", "tick")
    aside = hoster.customers.rename(hoster.customers.with_name("aside"))

    told = {
        words: hoster.machine.run(*words)
        for words in (
            ("schedule", "tick"),
            ("schedule", "tick", "--dry-run"),
            ("status",),
            ("customer", "list"),
            ("customer", "list", "--json"),
            ("customer", "list", "acme"),
            ("backup", "acme/www"),
            ("backup", "acme/www", "--confined"),
            ("daemon",),
        )
    }
    one = Journal(hoster.machine.state).runs(ResourceName.parse("default/default"), limit=9)
    aside.rename(hoster.customers)

    for words, command in told.items():
        assert command.returncode == 2, words
        assert command.stderr.startswith(
            f"error: the folder of customers {hoster.customers} is gone\n"
        ), words
        assert "set UNSTOPPABLE_SOURCE in its settings file" in command.stderr
    assert one == []
    assert hoster.runs("acme/www") == [("succeeded", "")]


def test_a_run_that_meets_no_folder_any_more_is_recorded_with_the_reason(hoster: Hoster):
    hoster.add("acme", www=NEVER)
    patch = hoster.machine.root / "hasty/sitecustomize.py"
    patch.parent.mkdir()
    # The run begins after the tick read the settings, and the folder went in between.
    patch.write_text(
        "import os, sys\n"
        "if '--confined' in sys.orig_argv:\n"
        f"    os.rename({str(hoster.customers)!r}, {str(hoster.customers) + '-aside'!r})\n"
    )
    hoster.machine.extra["PYTHONPATH"] = str(patch.parent)

    told = hoster.machine.run("schedule", "tick")
    patch.unlink()
    hoster.customers.with_name("customers-aside").rename(hoster.customers)

    assert told.returncode == 2, told.stderr
    words = f"the folder of customers {hoster.customers} is gone"
    failed = f"the run of acme/www ended before it began: {words}"
    assert hoster.runs("acme/www") == [("failed", failed)]


def test_who_goes_back_to_one_directory_is_understood(hoster: Hoster):
    hoster.add("acme", www=NEVER)
    hoster.machine.done("schedule", "tick")
    hoster.customers.rename(hoster.customers.with_name("aside"))
    one = hoster.source("acme", "www")
    hoster.machine.env_file.write_text(f"UNSTOPPABLE_SOURCE={one}\nUNSTOPPABLE_CUSTOMER=acme\n")
    hoster.machine.extra["UNSTOPPABLE_RESOURCE"] = "www"

    told = hoster.machine.done("status")

    assert "resource     acme/www" in told
    assert f"source       {one}" in told


def test_one_directory_whose_settings_are_lost_is_not_taken_for_customers(well: Machine):
    text = well.env_file.read_text()
    well.env_file.write_text("")

    told = well.run("schedule", "show")
    well.env_file.write_text(text)

    assert (told.returncode, told.stderr) == (0, "")
