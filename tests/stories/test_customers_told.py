"""What cannot be used of a customer who comes is told of where it was said, before all else."""

import pytest

from tests.servers.s3 import Certificate
from tests.stories.test_customer_bundle import (
    added,
    as_itself,
    done,
    given_to,
    operator,
    rewritten,
    runner,
    secret,
)
from tests.stories.test_customers_adding import add, everything, machine
from tests.stories.test_customers_growing import acme, further, grow
from tests.stories.world import Machine

__all__ = ["acme", "further", "machine", "operator", "runner"]
TABLE = "customers/acme/shop.toml"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_further_resource_that_cannot_be_used_is_refused_before_anything_is_taken(
    further, runner, more
):
    change = {b"source = ": b'schedule = "x"\nsource = '}
    [(old, new)] = change.items()
    broken = rewritten(further, lambda found: found | {TABLE: found[TABLE].replace(old, new)})
    brought, before = given_to(runner, broken), everything(runner)

    told = as_itself(runner, "customer", "import", brought, *more)

    assert told.returncode == 2, told.stderr
    assert f"error: {brought} cannot be used here: resources.shop.schedule in it " in told.stderr
    assert "hint: nothing was taken of it" in told.stderr
    assert everything(runner) == before


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_customer_who_cannot_be_used_is_refused_before_anything_is_taken(operator, runner, more):
    whole = added(operator, source=f"{runner.data}/www")
    name = "customers/acme.toml"
    broken = rewritten(whole, lambda found: found | {name: b"bukcet = 'x'\n" + found[name]})
    brought, before = given_to(runner, broken), everything(runner)

    told = as_itself(runner, "customer", "import", brought, *more)

    assert told.returncode == 2, told.stderr
    assert f"error: {brought} cannot be used here: unknown key bukcet in it" in told.stderr
    assert everything(runner) == before


def test_a_bundle_that_brings_certificates_is_rehearsed_and_taken(operator, runner, tmp_path):
    authority = Certificate.make(tmp_path).authority
    operator.env_file.write_text(f"UNSTOPPABLE_SOURCE_CA_FILE={authority}\n")
    file = secret(operator.root / "password", "open sesame\n")
    options = ("--password-file", str(file))
    first = added(operator, *options, source="ftps://a@127.0.0.1:9/x")
    second = operator.root / "shop.tar"
    shop = ("add-resource", "acme", "shop=ftps://a@127.0.0.1:9/y", *options, f"--bundle={second}")
    operator.done("customer", *shop)

    for brought in (given_to(runner, first), given_to(runner, second)):
        told = done(runner, "customer", "import", brought, "--dry-run")
        done(runner, "customer", "import", brought)

        assert "source-ca.pem" in told


def test_a_schedule_that_is_none_is_told_as_the_option(machine: Machine, acme: Machine) -> None:
    for told in (
        machine.run("customer", "add", "blue", "--resource=www=/", "--schedule=foo"),
        acme.run(*grow(acme, "--schedule=foo")),
    ):
        assert told.returncode == 2
        assert "'--schedule'" in told.stderr
        assert ".toml" not in told.stderr
        assert told.stderr.count("fields") == 1


def test_an_access_key_that_lacks_is_told_as_the_option(machine: Machine) -> None:
    before = everything(machine)

    no_id = machine.run(*add(machine, "--bucket=acme-backups"))
    no_secret = machine.run(*add(machine, "--bucket=acme-backups", "--access-key-id=x"))

    assert no_id.stderr.startswith("error: acme/www cannot be added without --access-key-id\n")
    assert no_secret.stderr.startswith("error: acme/www cannot be added without --secret-file\n")
    assert no_id.returncode == no_secret.returncode == 2
    assert everything(machine) == before


def test_a_password_in_an_address_is_told_as_the_option(machine: Machine) -> None:
    told = machine.run("customer", "add", "acme", "--resource", "a=ftps://u:pw@h/x")

    assert told.returncode == 2
    assert "a password does not belong there; --password-file takes it" in told.stderr
    assert "pw@" not in told.stderr


FTPS = "mail=ftps://u@127.0.0.1:9/x"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--password-file=/nope",), "--password-file cannot be used: cannot read /nope: No such"),
        ((), "acme/mail cannot be added without --password-file"),
        (("--bundle=/nope/x.tar",), "--bundle cannot be used: /nope is no directory"),
    ],
)
def test_what_a_server_needs_is_looked_at_before_anything_is_made(acme, options, told, more):
    before = everything(acme)

    further = acme.run("customer", "add-resource", "acme", FTPS, *options, *more)
    first = acme.run("customer", "add", "blue", f"--resource={FTPS}", *options, *more)

    assert further.returncode == first.returncode == 2
    assert f"error: {told}" in further.stderr
    assert f"error: {told.replace('acme', 'blue')}" in first.stderr
    assert everything(acme) == before


def test_a_secret_of_a_bucket_is_read_before_anything_is_made(acme: Machine) -> None:
    before = everything(acme)
    bucket = ("--bucket=blue-backups", "--access-key-id=x", "--secret-file=/nope")

    told = acme.run("customer", "add", "blue", f"--resource=www={acme.data}/www", *bucket)

    assert told.returncode == 2
    assert "error: --secret-file cannot be used: cannot read /nope: No such file" in told.stderr
    assert everything(acme) == before


def test_a_password_that_nobody_would_ask_for_is_refused(acme: Machine) -> None:
    file = secret(acme.root / "password", "open sesame\n")
    before = everything(acme)

    further = acme.run(*grow(acme, f"--password-file={file}"))
    source = f"--resource=www={acme.data}/www"
    first = acme.run("customer", "add", "blue", source, f"--password-file={file}")

    for told in (further, first):
        assert told.returncode == 2
        assert "error: --password-file cannot be used: no source is on a server" in told.stderr
    assert everything(acme) == before


def test_a_bundle_may_leave_the_password_to_the_other_machine_and_says_so(acme: Machine) -> None:
    first = acme.run("customer", "add", "blue", f"--resource={FTPS}", f"--bundle={acme.root}/b.tar")
    further = acme.run("customer", "add-resource", "acme", FTPS, f"--bundle={acme.root}/a.tar")

    for told in (first, further):
        assert told.returncode == 0, told.stderr
        assert "note: it holds no password of the server: write one into the file" in told.stderr


def test_a_folder_of_customers_that_nobody_may_look_into_is_told(operator, runner):
    folder = runner.home / ".config/unstoppable/customers"
    brought = given_to(runner, added(operator, source=f"{runner.data}/www"))
    folder.mkdir(parents=True)
    (folder / "acme.toml").touch()
    folder.chmod(0o744)
    resource = f"www={runner.data}"

    for words in (
        ("add", "cyan", f"--resource={resource}"),
        ("add-resource", "acme", resource),
        ("remove", "acme"),
        ("import", brought),
    ):
        told = as_itself(runner, "customer", *words)

        assert told.returncode == 2, (words, told.stderr)
        assert f"error: the folder of customers {folder} cannot be read: Permission" in told.stderr


def test_keys_that_nobody_may_look_at_are_not_taken_for_none(runner):
    folder = runner.home / ".config/unstoppable/customers"
    (folder / "cyan").mkdir(parents=True)
    (folder / "cyan").chmod(0o700)
    before = everything(runner)

    told = as_itself(
        runner, "customer", "add", "cyan", f"--resource=www={runner.data}", "--dry-run"
    )

    assert told.returncode == 1
    assert f"error: cannot use {folder}/cyan/root-secret: Permission denied\n" in told.stderr
    assert everything(runner) == before
