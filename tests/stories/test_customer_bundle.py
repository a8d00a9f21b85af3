"""A bundle: made on the operator's machine, unpacked on the machine that makes the backups."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.servers.s3 import OPERATOR, Certificate, S3Server, allow
from tests.stories.world import NOBODY, Machine

BUCKET = "acme-backups"


def as_itself(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program with the places of its user, and no setting in the environment."""
    environment = {
        name: value
        for name, value in machine.environment().items()
        if not name.startswith("UNSTOPPABLE_")
    }
    return subprocess.run(
        machine.argv(*arguments),
        env=environment,
        cwd=machine.home,
        capture_output=True,
        text=True,
        check=False,
    )


def done(machine: Machine, *arguments: str) -> str:
    result = as_itself(machine, *arguments)
    assert result.returncode == 0, (result.stdout, result.stderr)
    return result.stdout


@pytest.fixture
def operator(root: Path) -> Machine:
    """Where customers are added, with an empty settings file."""
    (root / "operator").mkdir()
    machine = Machine(root / "operator")
    machine.env_file.parent.mkdir(mode=0o700)
    machine.env_file.touch(0o600)
    return machine


@pytest.fixture
def runner(root: Path) -> Machine:
    """Where backups are made, by a user who may do nothing else."""
    (root / "runner").mkdir()
    machine = Machine(root / "runner", user=NOBODY)
    machine.write("www/index.html", "hers\n")
    for path in (machine.root, *machine.root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return machine


def given_to(machine: Machine, bundle: Path) -> str:
    """Return where a bundle lies that was brought to a machine."""
    brought = machine.home / bundle.name
    shutil.copy(bundle, brought)
    os.chown(brought, NOBODY, NOBODY)
    return str(brought)


def secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def added(operator: Machine, *options: str, source: str) -> Path:
    bundle = operator.root / "acme.tar"
    argv = ("customer", "add", "acme", f"--resource=www={source}", "--bundle", str(bundle))
    operator.done(*argv, *options)
    return bundle


def test_a_bundle_works_on_another_machine_in_another_place_as_another_user(
    operator: Machine, runner: Machine, s3_with_tls: tuple[S3Server, Certificate]
) -> None:
    server, certificate = s3_with_tls
    writer = server.user("writer")
    below = ("www/g1/config", "www/g1/unstoppable.json", "www/g1/snapshots/*", "www/g1/index/*")
    written = ("www/g1/snapshots/*", "www/g1/index/*", "www/g1/data/*")
    server.bucket(
        BUCKET,
        [
            allow("writer", BUCKET, "s3:ListBucket"),
            allow("writer", BUCKET, "s3:GetObject", *below),
            allow("writer", BUCKET, "s3:PutObject", *written),
        ],
    )
    settings = server.place("") | OPERATOR.settings
    settings["UNSTOPPABLE_S3_CA_FILE"] = str(certificate.authority)
    del settings["UNSTOPPABLE_COLD"]
    operator.env_file.write_text("".join(f"{n}='{value}'\n" for n, value in settings.items()))
    file = secret(operator.root / "s3-secret", writer.secret + "\n")
    options = ("--bucket", BUCKET, "--access-key-id", writer.key_id, "--secret-file", str(file))

    bundle = added(operator, *options, source=f"{runner.data}/www")
    root_secret = (operator.env_file.parent / "customers/acme/root-secret").read_text()
    content = bundle.read_bytes()
    brought = given_to(runner, bundle)
    shutil.rmtree(operator.root)
    certificate.authority.unlink()
    told = done(runner, "customer", "import", brought)
    checked = as_itself(runner, "config", "check", "acme/www")
    done(runner, "secrets", "check")
    done(runner, "backup", "acme/www")

    customers = runner.home / ".config/unstoppable/customers"
    assert told == f"imported: 1 resource of acme in {customers}/acme.toml\n"
    assert checked.returncode == 0, checked.stderr
    assert str(operator.root).encode() not in content
    assert root_secret.encode() not in content
    assert OPERATOR.secret.encode() not in content
    for path in (customers, *customers.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.stat().st_uid == NOBODY
    assert json.loads(done(runner, "snapshots", "acme/www", "--json"))["snapshots"]


def test_a_bundle_holds_the_password_of_a_server_and_whom_to_trust_for_it(
    operator: Machine, runner: Machine, tmp_path: Path
) -> None:
    authority = Certificate.make(tmp_path).authority
    operator.env_file.write_text(f"UNSTOPPABLE_SOURCE_CA_FILE={authority}\n")
    file = secret(operator.root / "password", "open sesame\n")

    bundle = added(operator, "--password-file", str(file), source="ftps://a@127.0.0.1:9/x")
    brought = given_to(runner, bundle)
    shutil.rmtree(operator.root)
    done(runner, "customer", "import", brought)
    shown = done(runner, "config", "show", "acme/www")

    customers = runner.home / ".config/unstoppable/customers"
    assert done(runner, "secrets", "check", "acme/www")
    assert f"in {customers}/acme/password" in shown
    assert f"{customers}/acme/source-ca.pem" in shown
    assert (customers / "acme/source-ca.pem").read_bytes() == authority.read_bytes()


def test_who_adds_a_customer_is_told_what_one_machine_costs(operator: Machine) -> None:
    source = operator.write("www/file").parent
    own = operator.env_file.parent / "customers"

    alone = operator.run("customer", "add", "acme", f"--resource=www={source}")
    bundled = operator.run(
        "customer", "add", "blue", f"--resource=www={source}", f"--bundle={operator.root}/b.tar"
    )

    assert (
        f"note: whoever takes this machine over has {own}/acme/root-secret, and so every key "
        "of acme, later ones too: move it away, backups need the other files there alone"
    ) in alone.stderr
    assert "move it away" not in bundled.stderr
    assert f"note: {own}/blue/root-secret is the root secret: keep it, on no backup machine" in (
        bundled.stderr
    )
    command = f"note: `unstoppable customer import {operator.root}/b.tar` on the backup machine"
    assert command in bundled.stderr


@pytest.fixture
def bundle(operator: Machine, runner: Machine) -> Path:
    """A bundle of a customer whose cold is a folder."""
    return added(operator, source=f"{runner.data}/www")


def test_an_import_takes_nobodys_place(bundle: Path, runner: Machine) -> None:
    brought = given_to(runner, bundle)
    done(runner, "customer", "import", brought)

    own = runner.home / ".config/unstoppable/customers/acme.toml"
    rehearsed = done(runner, "customer", "import", brought, "--dry-run")
    kept = (own.parent / "acme/www.key").read_text()
    (own.parent / "acme/www.key").unlink()
    same = done(runner, "customer", "import", brought)
    own.write_text(own.read_text() + "# by hand\n")
    again = as_itself(runner, "customer", "import", brought)
    own.unlink()
    key = runner.home / ".config/unstoppable/customers/acme/www.key"
    whole = key.read_text()
    key.write_text("0" * 128)
    refused = as_itself(runner, "customer", "import", brought)
    key.write_text(whole)
    done(runner, "customer", "import", brought)

    assert rehearsed == "nothing would be written: this bundle was taken\n"
    assert kept == whole
    assert same == f"imported: 1 resource of acme in {own}\n"
    assert again.returncode == 2
    assert "there is a customer acme already" in again.stderr
    assert refused.returncode == 2
    assert f"{key} is there, with another content than the bundle's" in refused.stderr


def test_a_rehearsed_import_changes_nothing(bundle: Path, runner: Machine) -> None:
    told = done(runner, "customer", "import", given_to(runner, bundle), "--dry-run")

    customers = runner.home / ".config/unstoppable/customers"
    assert f"would write {customers}/acme.toml\n" in told
    assert f"would write {customers}/acme/www.key\n" in told
    assert not customers.exists()


def test_an_import_that_is_not_in_order_adds_nobody(bundle: Path, runner: Machine) -> None:
    broken = rewritten(
        bundle, lambda files: files | {"customers/acme.toml": b"bukcet = 'x'\n[resources.www]\n"}
    )

    told = as_itself(runner, "customer", "import", given_to(runner, broken))

    assert told.returncode == 2
    assert "unknown key bukcet in" in told.stderr
    assert not (runner.home / ".config/unstoppable/customers/acme.toml").exists()


def rewritten(
    bundle: Path, change: Callable[[dict[str, bytes]], Mapping[str, bytes | tarfile.TarInfo]]
) -> Path:
    """Return a bundle with other members, written as anybody could."""
    with tarfile.open(bundle) as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        found = {name: file.read() for name, file in files.items() if file}
    path = bundle.with_name("other.tar")
    with tarfile.open(path, "w") as archive:
        for name, content in change(found).items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def link(name: str, kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


HOSTILE = {
    "a path upwards": lambda files: files | {"customers/../../.bashrc": b"x"},
    "a path from / on": lambda files: files | {"/etc/cron.d/x": b"x"},
    "the settings": lambda files: files | {".env": b"x"},
    "another customer": lambda files: files | {"customers/blue.toml": b"x"},
    "another customer's key": lambda files: files | {"customers/blue/www.key": b"x"},
    "a root secret": lambda files: files | {"customers/acme/root-secret": b"x"},
    "a folder deeper": lambda files: files | {"customers/acme/x/y": b"x"},
    "a hidden file": lambda files: files | {"customers/acme/.x": b"x"},
    "a link": lambda files: files | {"x": link("customers/acme/x", tarfile.SYMTYPE)},
    "a second name": lambda files: files | {"x": link("customers/acme/x", tarfile.LNKTYPE)},
    "a device": lambda files: files | {"x": link("customers/acme/x", tarfile.CHRTYPE)},
    "a pipe": lambda files: files | {"x": link("customers/acme/x", tarfile.FIFOTYPE)},
    "a folder": lambda files: files | {"x": link("customers/acme", tarfile.DIRTYPE)},
    "too large a file": lambda files: files | {"customers/acme/x": bytes(2**20 + 1)},
    "no customer": lambda files: {"customers/acme/www.key": files["customers/acme/www.key"]},
    "nothing": lambda _files: {},
    "a name that is none": lambda files: {
        name.replace("acme", "Acme"): content for name, content in files.items()
    },
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_bundle_is_refused_whole(bundle: Path, runner: Machine, kind: str) -> None:
    hostile = rewritten(bundle, HOSTILE[kind])

    told = as_itself(runner, "customer", "import", given_to(runner, hostile))

    assert told.returncode == 2, told.stderr
    assert f"{runner.home}/other.tar is no bundle of a customer: " in told.stderr
    assert not (runner.home / ".config").exists()


def test_what_is_no_archive_is_refused(runner: Machine, bundle: Path) -> None:
    content = bundle.read_bytes()
    for name, other in {"cut.tar": content[:700], "x.tar": b"x" * 5000, "empty": b""}.items():
        secret(runner.home / name, "").write_bytes(other)
        os.chown(runner.home / name, NOBODY, NOBODY)

        told = as_itself(runner, "customer", "import", name)

        assert told.returncode == 2, told.stderr
        assert "is no bundle of a customer: " in told.stderr
    missing = as_itself(runner, "customer", "import", "nowhere.tar")
    assert missing.returncode == 1
    assert "cannot read nowhere.tar: No such file or directory" in missing.stderr


def test_a_bundle_of_a_customer_who_is_there_is_refused_with_the_way_out(hoster):
    hoster.machine.env_file.parent.mkdir()
    hoster.machine.write("www/file")
    bundle = hoster.machine.root / "acme.tar"
    resource = f"www={hoster.machine.data / 'www'}"
    hoster.machine.done("customer", "add", "acme", "--resource", resource, "--bundle", str(bundle))

    path = hoster.customers / "acme.toml"
    path.write_text(path.read_text() + "# by hand\n")
    told = hoster.machine.run("customer", "import", str(bundle))

    assert told.returncode == 2
    assert "error: there is a customer acme already: " in told.stderr
    assert "hint: was this bundle taken before? if it is another customer's" in told.stderr
