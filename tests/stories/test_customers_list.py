"""Who is backed up, as files say: `unstoppable customer list`."""

import pytest

from tests.stories.hoster import Hoster

SLOT = "17 2 * * *"


@pytest.fixture
def site(hoster: Hoster) -> Hoster:
    """A machine with two customers, of whom it has no key any more."""
    hoster.add("acme", www=SLOT, mail="5 * * * *")
    hoster.add("blue", www=SLOT)
    for key in (hoster.machine.root / "keys").iterdir():
        key.unlink()
    return hoster


def test_each_customer_is_listed_with_what_is_backed_up_and_when(site):
    told = site.machine.done("customer", "list")
    document = site.machine.asked("customer", "list")

    columns, *rows, whole = [line.split("  ") for line in told.splitlines()]
    assert [column.strip() for column in columns if column] == [
        "resource",
        "source",
        "schedule",
        "file",
    ]
    assert [row[0].strip() for row in rows] == ["acme/www", "acme/mail", "blue/www"]
    assert str(site.source("acme", "mail")) in told
    assert f"17 2 * * * UTC  {site.customers}/acme.toml" in told
    assert whole == ["2 customers with 3 resources"]
    acme, blue = document["customers"]
    assert acme == {
        "customer": "acme",
        "file": f"{site.customers}/acme.toml",
        "resources": [
            {
                "resource": "www",
                "source": str(site.source("acme", "www")),
                "schedule": "17 2 * * * UTC",
            },
            {
                "resource": "mail",
                "source": str(site.source("acme", "mail")),
                "schedule": "5 * * * * UTC",
            },
        ],
        "faults": [],
    }
    assert (blue["customer"], document["folder"]) == ("blue", str(site.customers))


def test_a_broken_file_is_told_with_the_reason_and_hides_no_other(site):
    (site.customers / "blue.toml").write_text("bukcet = 'x'\n[resources.www]\n")
    (site.customers / "Emil\x1b.toml").write_text("")
    (site.customers / "gone.toml").symlink_to("nowhere")

    told = site.machine.run("customer", "list")
    document = site.machine.asked("customer", "list")

    rows = [line.split() for line in told.stdout.splitlines()]
    assert told.returncode == 2
    assert ["blue", "unknown", "unknown", f"{site.customers}/blue.toml"] in rows
    assert " ".join(rows[-1]) == "4 customers with 2 resources; 3 files cannot be used"
    assert "acme/www" in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    assert told.stderr.count("error: unknown key bukcet in ") == 1
    assert "gone.toml cannot be read: No such file or directory" in told.stderr
    broken = {one["customer"]: one for one in document["customers"]}["blue"]
    assert broken["resources"] == []
    assert broken["faults"][0]["message"].startswith("unknown key bukcet in ")


def test_what_is_wrong_for_all_is_told_once(site):
    site.machine.env_file.write_text("UNSTOPPABLE_HOTT=/x\n")

    told = site.machine.run("customer", "list")

    assert told.returncode == 2
    assert told.stderr.count("unknown setting UNSTOPPABLE_HOTT") == 1
    assert "2 customers with 3 resources\n" in told.stdout


def test_a_resource_whose_settings_cannot_be_used_is_listed_with_what_is_known(site):
    path = site.customers / "blue.toml"
    path.write_text(path.read_text().replace(SLOT, "61 * * * *").replace('source = "', 'source="x'))

    told = site.machine.run("customer", "list", "blue")

    assert told.returncode == 2
    assert ["blue/www", "unknown", "unknown", str(path)] in map(str.split, told.stdout.splitlines())
    assert "resources.www.schedule in" in told.stderr


def test_one_customer_is_listed_whatever_is_wrong_with_others(site):
    (site.customers / "blue.toml").write_text("nonsense")

    told = site.machine.run("customer", "list", "acme")
    nobody = site.machine.run("customer", "list", "cyan")

    assert (told.returncode, told.stderr) == (0, "")
    assert "blue" not in told.stdout
    assert "1 customer with 2 resources\n" in told.stdout
    assert nobody.returncode == 2
    assert f"error: there is no customer cyan in {site.customers}\n" in nobody.stderr


@pytest.mark.parametrize("is_there", [True, False])
def test_where_nobody_is_it_says_how_somebody_is_added(hoster, is_there):
    folder = hoster.customers
    if is_there:
        folder.mkdir(parents=True)

    told = hoster.machine.run("customer", "list")
    document = hoster.machine.asked("customer", "list")

    lacking = "no customer is in" if is_there else "there is no folder"
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == (
        f"{lacking} {folder}: `unstoppable customer add NAME --resource NAME=DIR` adds one\n"
    )
    assert document["customers"] == []


def test_one_directory_beside_no_customers_is_no_customer(alice):
    alice.done("init", str(alice.data))

    told = alice.run("customer", "list")

    assert told.returncode == 0
    assert told.stdout.startswith("there is no folder ")
