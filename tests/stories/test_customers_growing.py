"""A customer gets a further resource, on one machine or with a bundle for another one."""

import re
import secrets
import shutil
from pathlib import Path

import pytest

from tests.stories.hoster import NEVER
from tests.stories.test_customer_bundle import (
    as_itself,
    done,
    given_to,
    link,
    operator,
    rewritten,
    runner,
    secret,
)
from tests.stories.test_customers_adding import everything, machine
from tests.stories.world import Machine
from unstoppable.cli import customer_making
from unstoppable.cli.main import run
from unstoppable.domain.toml import LARGEST_BYTES
from unstoppable.runner import bundle, files, pins_file, setup

__all__ = ["machine", "operator", "runner"]
COMMENTED = "# ours\nname = 'Acme'  # for people\n\n"


@pytest.fixture
def acme(machine: Machine) -> Machine:
    """A machine with a customer, whose file somebody wrote comments into."""
    machine.write("shop/file", "bread\n")
    machine.done("customer", "add", "acme", f"--resource=www={machine.data}/www")
    file(machine).write_text(COMMENTED + file(machine).read_text() + "# the end")
    return machine


def file(machine: Machine) -> Path:
    return machine.env_file.parent / "customers/acme.toml"


def inline(text: str) -> str:
    """Return the file with its resources in one line, to which no table can be added."""
    table = r"\[resources.www\]\n(.*)\n(.*)\n"
    return re.sub(table, r"resources = {www={\1, \2}}\n", text)


def full(text: str) -> str:
    """Return the file with a comment that leaves room for a few letters."""
    left_bytes = LARGEST_BYTES - len(text.encode()) - 10
    return f"{text} {'ä' * (left_bytes // 2)}\n"


def grow(machine: Machine, *more: str, name: str = "shop") -> tuple[str, ...]:
    return ("customer", "add-resource", "acme", f"{name}={machine.data}/shop", *more)


def test_a_further_resource_is_backed_up_and_the_file_keeps_what_stood_there(acme):
    before = file(acme).read_text()

    told = acme.run(*grow(acme, "--schedule", NEVER))
    acme.done("schedule", "tick")

    own = file(acme).parent
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"added: acme/shop in {own}/acme.toml\n"
    assert "note: `unstoppable key sheet acme/shop` writes the recovery sheet" in told.stderr
    assert file(acme).read_text() == (
        f'{before}\n\n[resources.shop]\nsource = "{acme.data}/shop"\n'
        f'repository_key = "file:acme/shop.key"\nschedule = "{NEVER}"\n'
    )
    assert (acme.restored("acme/shop") / "file").read_text() == "bread\n"
    assert (own / "acme/shop.key").stat().st_mode & 0o077 == 0
    assert "recovery-sheet.html" in acme.done("key", "sheet", "acme/shop")
    assert acme.run("check", "acme/www").returncode == 0


def test_a_rehearsal_tells_what_would_be_made_and_makes_nothing(acme):
    own, before = file(acme).parent, everything(acme)

    told = acme.done(*grow(acme, "--dry-run"))

    assert everything(acme) == before
    assert told.splitlines() == [
        f"would make a key of acme/shop in {own}/acme/shop.key",
        f"would make a repository in {acme.cold}/acme/shop/g1",
        f"would make its pins in {own}/acme.pins.json",
        f"would make acme/shop in {own}/acme.toml",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace("[resources.www]", "[resources.shop]"),
            "there is a resource acme/shop already",
        ),
        (lambda text: text + "\nnonsense", "acme.toml cannot be used: "),
        (lambda text: text.replace("name", "nam"), "unknown key nam in "),
        (
            inline,
            "no further resource can be written to the end of ",
        ),
        (lambda text: text.replace("# the end", "x = '''"), "acme.toml cannot be used: "),
        (lambda _text: "resources = 5\n", "acme.toml cannot be used: resources is no table"),
        (lambda _text: "resources = 'shop'\n", "cannot be used: resources is no table"),
        (full, "acme.toml has no room for a further resource: with it, it is larger than 256 KiB"),
    ],
)
def test_a_file_that_cannot_take_it_is_refused_before_anything_is_made(acme, change, told):
    file(acme).write_text(change(file(acme).read_text()))
    text, before = file(acme).read_text(), everything(acme)

    refused = acme.run(*grow(acme))

    assert refused.returncode == 2, refused.stderr
    assert told in refused.stderr
    assert (everything(acme), file(acme).read_text()) == (before, text)


def test_a_source_that_is_not_there_is_refused_before_anything_is_made(acme):
    before = everything(acme)

    refused = acme.run("customer", "add-resource", "acme", "shop=/nowhere")
    nobody = acme.run("customer", "add-resource", "blue", f"shop={acme.data}/shop")

    assert refused.returncode == nobody.returncode == 2
    assert "error: acme/shop cannot be backed up: /nowhere is not a directory" in refused.stderr
    assert "error: there is no customer blue in " in nobody.stderr
    assert everything(acme) == before


def test_where_no_root_secret_is_it_says_where_to_go(acme):
    root = file(acme).parent / "acme/root-secret"
    aside = acme.root / "aside"
    root.rename(aside)
    before = everything(acme)

    refused = acme.run(*grow(acme))
    root.write_text(secrets.token_hex(32))
    root.chmod(0o600)
    other = acme.run(*grow(acme))
    root.unlink()

    assert refused.returncode == other.returncode == 2
    assert f"root secret of acme, of which every key is made, is not at {root}" in refused.stderr
    assert "hint: do this on the machine where acme was added, with --bundle" in refused.stderr
    assert "`unstoppable customer import FILE`" in refused.stderr
    assert f"{root} is not the root secret that the keys of acme were made of" in other.stderr
    assert everything(acme) == before
    aside.rename(root)
    acme.done(*grow(acme))


def test_a_link_stays_one_and_line_ends_and_mode_stay_as_they_were(acme):
    real = acme.root / "kept.toml"
    real.write_bytes(file(acme).read_bytes().replace(b"\n", b"\r\n"))
    real.chmod(0o640)
    file(acme).unlink()
    file(acme).symlink_to(real)

    acme.done(*grow(acme))

    assert file(acme).is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    content = real.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 8
    acme.done("backup", "acme/shop")


STEPS = [
    (files, "_write_draft"),
    (files, "sync_folder"),
    (setup, "_create"),
    (pins_file, "replace"),
    (bundle, "write_new"),
    (bundle, "_write_once"),
    (customer_making, "replace"),
    (customer_making, "write_new"),
]


class Killed(BaseException):
    """The process ends here."""


def killed(machine: Machine, command: str) -> list[str]:
    """Return the command that is killed; of a bundle, what was made beside it was put away."""
    tar, own = machine.root / "x.tar", file(machine).parent
    argv = [*grow(machine, f"--bundle={tar}")]
    if "resource" not in command:
        source = f"--resource=www={machine.data}/shop"
        argv = ["customer", "add", "blue", source, f"--bundle={tar}"]
    if "import" not in command:
        return argv
    kept = {path: path.read_text() for path in own.glob("acme.*")}
    machine.done(*argv)
    shutil.rmtree(own / "blue", ignore_errors=True)
    for path in (*own.glob("blue.*"), *own.glob("acme/shop.*")):
        path.unlink()
    for path, text in kept.items():
        path.write_text(text)
    return ["customer", "import", str(tar)]


@pytest.mark.parametrize("command", ["add", "add-resource", "import", "import of a resource"])
def test_what_was_killed_at_any_step_is_completed_by_the_same_command(acme, monkeypatch, command):
    for name, value in acme.environment().items():
        monkeypatch.setenv(name, value)
    argv = killed(acme, command)
    attempts = 0
    while True:
        attempts += 1
        with monkeypatch.context() as patched:
            left = [attempts]

            def until(called, left=left):
                def counted(*args, **more):
                    left[0] -= 1
                    if left[0] == 0:
                        raise Killed
                    return called(*args, **more)

                return counted

            for module, name in STEPS:
                patched.setattr(module, name, until(getattr(module, name)))
            try:
                code = run(argv)
            except Killed:
                continue
        break

    assert code == 0
    assert attempts > 5
    grown = ("blue/www",) if command in {"add", "import"} else ("acme/shop",)
    for resource in grown:
        acme.done("backup", resource)
    assert acme.run("config", "check").returncode in {0, 1}
    acme.done("backup", "acme/www")


def test_a_bundle_brings_a_further_resource_to_a_machine_that_has_the_customer(operator, runner):
    runner.write("shop/file", "bread\n")
    first, second = operator.root / "acme.tar", operator.root / "shop.tar"
    operator.done(
        "customer", "add", "acme", f"--resource=www={runner.data}/www", f"--bundle={first}"
    )
    done(runner, "customer", "import", given_to(runner, first))
    theirs = runner.home / ".config/unstoppable/customers/acme.toml"
    theirs.write_text(f"# ours\n{theirs.read_text()}exclude = ['x']\n")
    here = as_itself(runner, *grow(runner))
    operator.done(*grow(runner, f"--bundle={second}"))
    brought = given_to(runner, second)

    rehearsed = done(runner, "customer", "import", brought, "--dry-run")
    before = theirs.read_text()
    told = done(runner, "customer", "import", brought)
    (theirs.parent / "acme/shop.key").unlink()
    missing = done(runner, "customer", "import", brought, "--dry-run")
    again = done(runner, "customer", "import", brought)
    theirs.write_text(theirs.read_text().replace('/shop"', '/other"'))
    other = as_itself(runner, "customer", "import", brought)

    assert "root secret of acme" in here.stderr
    assert b"root-secret" not in second.read_bytes()
    assert f"would write {theirs.parent}/acme/shop.key\n" in rehearsed
    assert missing == f"would write {theirs.parent}/acme/shop.key\n"
    assert told == again == f"imported: acme/shop in {theirs}\n"
    assert theirs.read_text().startswith(before)
    assert other.returncode == 2
    assert "there is a resource acme/shop already" in other.stderr
    assert "was this bundle taken before" in other.stderr
    assert as_itself(runner, "secrets", "check").returncode == 0


def test_a_bundle_of_a_further_resource_is_for_whom_it_was_made(operator, runner):
    first, second = operator.root / "acme.tar", operator.root / "shop.tar"
    operator.done("customer", "add", "acme", f"--resource=www={runner.data}/www")
    password = secret(operator.root / "password", "open sesame\n")
    operator.done(
        "customer",
        "add-resource",
        "acme",
        "shop=ftps://a@127.0.0.1:9/x",
        f"--password-file={password}",
        f"--bundle={second}",
    )
    before = everything(runner)

    nobody = as_itself(runner, "customer", "import", given_to(runner, second))
    operator.done(
        "customer", "add", "blue", f"--resource=www={runner.data}/www", f"--bundle={first}"
    )
    taken = operator.run(*grow(runner, f"--bundle={first}", name="more"))

    assert nobody.returncode == 2
    assert "error: there is no customer acme in " in nobody.stderr
    assert "hint: import the bundle first that acme was added with" in nobody.stderr
    assert f"{first} is there already and is not overwritten" in taken.stderr
    (runner.home / "shop.tar").unlink()
    assert everything(runner) == before


PINS = "customers/acme/shop.pins.json"
HOSTILE = {
    "another resource's key": lambda found: found | {"customers/acme/www.key": b"x"},
    "another resource": lambda found: (
        found | {"customers/acme/shop.toml": b"[resources.shop]\n[resources.www]\n"}
    ),
    "what is said for all": lambda found: (
        found | {"customers/acme/shop.toml": b"bucket='x'\n[resources.shop]\n"}
    ),
    "no table": lambda found: found | {"customers/acme/shop.toml": b"x"},
    "two tables": lambda found: found | {"customers/acme/more.toml": b"[resources.more]\n"},
    "a secret of the machine": lambda found: (
        found | {"customers/acme/shop.toml": b"[resources.shop]\npassword='file:/etc/shadow'\n"}
    ),
    "a secret of its customer": lambda found: (
        found
        | {"customers/acme/shop.toml": b"[resources.shop]\npassword='infisical:/acme/WWW_KEY'\n"}
    ),
    "no pins": lambda found: {n: c for n, c in found.items() if "pins" not in n},
    "pins of others": lambda found: (
        found
        | {
            "customers/acme/shop.pins.json": found["customers/acme/shop.pins.json"].replace(
                b"shop", b"www"
            )
        }
    ),
    "pins that are none": lambda found: found | {PINS: b"{}x"},
    "a link": lambda found: found | {"x": link("customers/acme/shop.key2", b"2")},
}


@pytest.fixture
def further(operator: Machine, runner: Machine) -> Path:
    """A bundle of a further resource, brought to a machine that has the customer."""
    first, second = operator.root / "acme.tar", operator.root / "shop.tar"
    operator.done(
        "customer", "add", "acme", f"--resource=www={runner.data}/www", f"--bundle={first}"
    )
    done(runner, "customer", "import", given_to(runner, first))
    operator.done(*grow(runner, f"--bundle={second}"))
    return second


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_bundle_of_a_further_resource_changes_nothing(further, runner, kind):
    brought = given_to(runner, rewritten(further, HOSTILE[kind]))
    before = everything(runner)

    told = as_itself(runner, "customer", "import", brought)

    assert told.returncode == 2, told.stderr
    assert "is no bundle of a customer: " in told.stderr
    assert everything(runner) == before
