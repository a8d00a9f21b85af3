"""What is looked at before a customer is added, and what would be made."""

import shutil

import pytest

from tests.stories.hoster import Hoster
from tests.stories.world import Machine


def everything(machine: Machine) -> list[str]:
    """Return every path beneath the machine's own places."""
    return sorted(str(path) for path in machine.root.rglob("*"))


@pytest.fixture
def machine(hoster: Hoster) -> Machine:
    """Where customers are added, of whom there is none yet."""
    hoster.machine.env_file.parent.mkdir(mode=0o700)
    hoster.machine.env_file.touch(0o600)
    hoster.machine.write("www/file")
    return hoster.machine


def add(machine: Machine, *more: str) -> tuple[str, ...]:
    return ("customer", "add", "acme", f"--resource=www={machine.data}/www", *more)


def test_a_rehearsal_tells_everything_that_would_be_made_and_makes_nothing(machine):
    own, bundle = machine.env_file.parent / "customers", machine.root / "acme.tar"
    mail = f"--resource=mail={machine.data}/www"
    before = everything(machine)

    told = machine.done(*add(machine, mail, f"--bundle={bundle}", "--dry-run"))
    document = machine.asked(*add(machine), "--dry-run")

    assert everything(machine) == before
    assert told.splitlines() == [
        f"would make a root secret in {own}/acme/root-secret",
        f"would make a key of acme/www in {own}/acme/www.key",
        f"would make a repository in {machine.cold}/acme/www/g1",
        f"would make its pins in {own}/acme.pins.json",
        f"would make a key of acme/mail in {own}/acme/mail.key",
        f"would make a repository in {machine.cold}/acme/mail/g1",
        f"would make its pins in {own}/acme.pins.json",
        f"would make the customer's file {own}/acme.toml",
        f"would make a bundle for another machine in {bundle}",
    ]
    assert len(document["would_make"]) == 5


def test_a_rehearsal_tells_what_an_earlier_try_left_to_be_made(machine):
    machine.done(*add(machine))
    own = machine.env_file.parent / "customers"
    (own / "acme.toml").unlink()

    told = machine.done(*add(machine), "--dry-run")

    assert told == f"would make the customer's file {own}/acme.toml\n"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_source_that_is_no_directory_is_refused_before_anything_is_made(machine, more):
    machine.write("letter")
    before = everything(machine)

    for name in ("letter", "nothing"):
        told = machine.run(*add(machine, f"--resource=mail={machine.data}/{name}", *more))

        assert told.returncode == 2
        assert told.stderr == (
            f"error: acme/mail cannot be backed up: {machine.data}/{name} is not a directory\n"
            "hint: make or mount it; a directory of another machine is added with --bundle\n"
        )
    assert everything(machine) == before


def test_a_source_inside_our_own_folders_is_refused_before_anything_is_made(machine):
    (machine.hot / "x").mkdir(parents=True)
    before = everything(machine)

    told = machine.run(*add(machine, f"--resource=mail={machine.hot}/x"))

    assert told.returncode == 2
    assert f"the source {machine.hot}/x lies inside UNSTOPPABLE_HOT=" in told.stderr
    assert everything(machine) == before


def test_a_source_that_this_user_may_not_look_at_is_refused(nobody):
    nobody.env_file.unlink()
    closed = nobody.root / "closed"
    closed.mkdir(0)
    before = everything(nobody)

    told = nobody.run("customer", "add", "acme", f"--resource=www={closed}/www")

    assert told.returncode == 1
    assert "error: cannot read the source of acme/www: " in told.stderr
    assert everything(nobody) == before


def test_a_directory_of_another_machine_is_added_with_a_bundle(machine):
    bundle = f"--bundle={machine.root}/acme.tar"

    machine.done("customer", "add", "acme", "--resource=www=/of/another/machine", bundle)

    assert (machine.env_file.parent / "customers/acme.toml").exists()


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_repository_of_another_key_is_refused_before_anything_is_made(machine, more):
    machine.done(*add(machine))
    shutil.rmtree(machine.env_file.parent / "customers")
    before = everything(machine)

    told = machine.run(*add(machine, *more))

    assert told.returncode == 1
    root = machine.env_file.parent / "customers/acme/root-secret"
    assert told.stderr == (
        "error: acme/www has a repository already, made of another root secret\n"
        f"hint: put that root secret back as {root}, or take another name\n"
    )
    assert everything(machine) == before


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_the_key_of_another_root_secret_is_refused_before_anything_is_made(machine, more):
    machine.done(*add(machine))
    own = machine.env_file.parent / "customers"
    (own / "acme.toml").unlink()
    (own / "acme/root-secret").unlink()
    before = everything(machine)

    told = machine.run(*add(machine, *more))

    assert told.returncode == 2
    assert f"{own}/acme/www.key holds a key of another root secret" in told.stderr
    assert everything(machine) == before
