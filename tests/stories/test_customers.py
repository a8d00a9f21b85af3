"""Many customers on one machine: each is backed up when it is due, and none stops another."""

import shutil
import tarfile

import pytest

from tests.stories.hoster import NEVER


def test_what_is_due_is_backed_up_and_told_with_its_name(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.add("blue", www=NEVER)

    told = hoster.machine.run("schedule", "tick")
    again = hoster.machine.run("schedule", "tick")

    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    for resource in ("acme/www", "acme/mail", "blue/www"):
        source = hoster.source(*resource.split("/"))
        assert any(line.startswith(f"{resource}: stored: {source} (1 file") for line in lines)
        assert hoster.runs(resource) == [("succeeded", "")]
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_each_comes_back_and_no_other(hoster):
    hoster.add("acme", www=NEVER, mail=NEVER)
    hoster.machine.done("schedule", "tick")
    assert "acme:" in hoster.machine.done("key", "emitter", "acme/www")
    assert "whole: 2 signed" in hoster.machine.done("runs", "acme/mail", "--verify")

    back = hoster.machine.restored("acme/mail")
    unnamed = hoster.machine.run("restore", "--to", str(hoster.machine.root / "back"))

    assert (back / "file").read_text() == "acme's mail\n"
    assert unnamed.returncode == 2
    assert "name one of acme/mail, acme/www" in unnamed.stderr


def test_a_customer_whose_backup_fails_or_whose_file_is_broken_stops_no_other(hoster):
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    hoster.add("cyan", www=NEVER)
    (hoster.source("acme", "www") / "file").unlink()
    hoster.source("acme", "www").rmdir()
    (hoster.customers / "blue.toml").write_text("nonsense")

    told = hoster.machine.run("schedule", "tick")

    assert told.returncode == 1
    assert "acme/www: error: " in told.stderr
    assert "blue.toml cannot be used" in told.stderr
    assert hoster.runs("cyan/www") == [("succeeded", "")]
    assert hoster.runs("acme/www")[0][0] == "failed"


def test_a_rehearsal_tells_what_is_due_and_changes_nothing(hoster):
    hoster.add("acme", www=NEVER)

    told = hoster.machine.done("schedule", "tick", "--dry-run")

    assert "acme/www" in told
    assert hoster.runs("acme/www") == []


def test_status_tells_first_who_needs_somebody(hoster):
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    hoster.machine.run("schedule", "tick")
    well = hoster.machine.run("status")
    (hoster.source("blue", "www") / "file").unlink()
    hoster.source("blue", "www").rmdir()
    hoster.machine.run("backup", "blue/www")
    hoster.add("cyan", www=NEVER)

    ill = hoster.machine.run("status")
    one = hoster.machine.run("status", "acme/www")
    document = hoster.machine.asked("status")

    assert well.returncode == 0
    assert well.stdout.startswith("2 of 2 last runs stored, oldest ")
    assert "verified by a reporter: never" in well.stdout
    assert ill.returncode == 1
    verdict, _, *rows = ill.stdout.splitlines()
    assert verdict == "2 of 3 need you: blue/www, cyan/www"
    assert [row.split()[0] for row in rows] == ["blue/www", "cyan/www", "acme/www"]
    assert "the last run failed: " in rows[0]
    assert "it was never backed up" in rows[1]
    assert "acme/www" in one.stdout
    assert [found["needs"] is None for found in document["resources"]] == [False, False, True]


def test_config_check_tells_of_each_what_the_next_day_brings(hoster):
    hoster.add("acme", www="17 2 * * *", mail="18 2 * * *")
    hoster.add("blue", www=NEVER)
    (hoster.customers / "cyan.toml").write_text("bukcet = 'x'\n")

    told = hoster.machine.run("config", "check")
    one = hoster.machine.run("config", "check", "acme/www")
    document = hoster.machine.asked("config", "check")

    assert told.returncode == 2
    for resource in ("acme/www", "acme/mail", "blue/www"):
        assert f"{resource}: {hoster.source(*resource.split('/'))} is backed up to" in told.stdout
    assert "unknown key bukcet in" in told.stderr
    assert "the schedule 0 0 29 2 * UTC of blue/www" in told.stderr
    assert told.stdout.endswith(
        "3 resources: 2 in order, 1 with faults, and 2 faults in files of customers\n"
    )
    assert one.returncode == 0, one.stderr
    assert len(document["resources"]) == 3
    assert {"CustomerFileInvalid", "CustomerKeyUnknown"} == {
        fault["kind"] for fault in document["faults"]
    }


def test_a_customer_is_added_backed_up_and_removed_and_nothing_is_lost(hoster):
    machine = hoster.machine
    machine.env_file.parent.mkdir(parents=True)
    machine.env_file.touch(0o600)
    machine.write("www/index.html", "hello\n")
    machine.write("mail/1", "letter\n")
    resources = [f"--resource={name}={machine.data}/{name}" for name in ("www", "mail")]

    added = machine.run("customer", "add", "acme", *resources, "--title", 'Acme "Ltd" \u00fc')
    again = machine.run("customer", "add", "acme", *resources)
    machine.done("schedule", "tick")
    sheets = [machine.done("key", "sheet", f"acme/{name}") for name in ("www", "mail")]
    machine.done("schedule", "tick")
    back = machine.restored("acme/mail")
    rehearsed = machine.done("customer", "remove", "acme", "--dry-run")
    removed = machine.done("customer", "remove", "acme")
    after = machine.run("backup", "acme/www")
    [aside] = hoster.customers.glob("acme.toml.removed-*")
    aside.rename(hoster.customers / "acme.toml")

    assert added.returncode == 0, added.stderr
    assert added.stdout == f"added: 2 resources of acme in {hoster.customers}/acme.toml\n"
    assert again.returncode == 2
    assert "there is a customer acme already" in again.stderr
    assert (back / "1").read_text() == "letter\n"
    assert all("recovery-sheet.html" in sheet for sheet in sheets)
    assert f"acme/mail in {machine.cold}" in removed
    assert "would be backed up no more" in rehearsed
    assert after.returncode == 2
    assert machine.restored("acme/www").joinpath("index.html").read_text() == "hello\n"
    for path in (hoster.customers / "acme").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_interrupted_addition_goes_on_with_the_same_keys(hoster):
    machine = hoster.machine
    machine.write("www/file")
    machine.env_file.parent.mkdir(parents=True)
    machine.env_file.touch(0o600)
    machine.hot.touch()  # no folder can be made beneath it, and so no lane
    argv = ("customer", "add", "acme", f"--resource=www={machine.data}/www")

    refused = machine.run(*argv)
    secret = (hoster.customers / "acme/root-secret").read_text()
    is_there = (hoster.customers / "acme.toml").exists()
    machine.hot.unlink()
    machine.done(*argv)

    assert refused.returncode == 1, refused.stderr
    assert not is_there, "nobody backs up into a repository that is not there"
    assert (hoster.customers / "acme/root-secret").read_text() == secret
    machine.done("backup", "acme/www")


def test_a_bundle_is_all_that_another_machine_needs_and_holds_no_root_secret(hoster):
    machine = hoster.machine
    machine.write("www/file", "hers\n")
    bundle = machine.root / "acme.tar"
    argv = ("customer", "add", "acme", f"--resource=www={machine.data}/www")
    machine.done(*argv, "--bundle", str(bundle))
    secret = (hoster.customers / "acme/root-secret").read_text()
    shutil.rmtree(machine.env_file.parent)
    machine.env_file.parent.mkdir(mode=0o700)
    machine.env_file.touch(0o600)

    with tarfile.open(bundle) as archive:
        archive.extractall(machine.env_file.parent, filter="data")
        names = sorted(archive.getnames())
    machine.done("backup", "acme/www")

    assert names == ["customers/acme.pins.json", "customers/acme.toml", "customers/acme/www.key"]
    assert secret.encode() not in bundle.read_bytes()
    assert (machine.restored("acme/www") / "file").read_text() == "hers\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Acme", "--resource=www=/x"), "'Acme'"),
        (("acme", "--resource=www"), "write NAME=DIR"),
        (("acme", "--resource=W=/x"), "'W'"),
        (("acme", "--resource=www=x"), "not a path"),
        (("acme", "--resource=www=/x", "--schedule", "61 * * * *"), "schedule"),
        (("acme", "--resource=www=ftp://a@b/c"), "not spoken"),
        (("acme", "--resource=www=ftps://a:secret@b/c"), "password"),
    ],
)
def test_a_customer_that_cannot_be_is_refused(hoster, arguments, told):
    result = hoster.machine.run("customer", "add", *arguments)

    assert result.returncode == 2
    assert told in result.stderr
    assert "a:secret" not in result.stderr
    assert not (hoster.customers / "acme.toml").exists()


def test_one_caller_is_for_all_of_them(hoster):
    hoster.add("acme", www="17 2 * * *")
    hoster.add("blue", www=NEVER)
    # The settings of a story are in its environment, which no timer has.
    settings = hoster.machine.environment()
    places = ("HOT", "COLD", "STATE")
    lines = [f"UNSTOPPABLE_{place}={settings[f'UNSTOPPABLE_{place}']}\n" for place in places]
    hoster.machine.env_file.write_text("".join(lines))

    planned = hoster.machine.run("schedule", "install", "--cron", "--dry-run")
    shown = hoster.machine.done("schedule", "show")
    removed = hoster.machine.done("schedule", "remove", "--dry-run")
    (hoster.customers / "blue.toml").write_text("nonsense")
    refused = hoster.machine.run("schedule", "install", "--cron", "--dry-run")

    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("schedule tick") == 1
    assert f"--env-file {hoster.machine.env_file}" in planned.stdout
    assert "acme/www  17 2 * * * UTC" in shown
    assert (
        "the schedule of 2 resources is called by nobody, as before" in removed
        or "would be" in removed
    )
    assert refused.returncode == 2
