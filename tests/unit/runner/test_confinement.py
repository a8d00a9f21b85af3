"""What a run needs; that the kernel keeps it to that is shown by the stories."""

from dataclasses import replace
from pathlib import Path

import pytest

from unstoppable.domain.ftps import FtpsAccess, FtpsFolder, FtpsSource, Password
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import Credential, S3Access, S3Cold, S3Prefix
from unstoppable.engine import Needs, Source
from unstoppable.runner.confinement import Program, needs
from unstoppable.runner.plan import Installation, Key
from unstoppable.secrets.reference import InFile, Literal

ALICE = Installation(
    resource=ResourceName(customer="alice", resource="www"),
    hot=Path("/ours/hot"),
    cold=Path("/ours/cold"),
    state=Path("/ours/state"),
    pins_file=Path("/settings/pins.json"),
    key=Key(name="UNSTOPPABLE_KEY", kind=KeyKind.ROOT, secret=Literal("k")),
)
FOLDER = Source(place=Path("/srv/alice"))
BUCKET = S3Cold(
    place=S3Prefix(bucket="alice", prefix=""),
    access=S3Access(
        endpoint="https://s3.example.com",
        region="x",
        virtual_host=False,
        ca_file="/settings/s3.pem",
        connections=8,
        bytes_per_second=None,
    ),
    access_key_id=Credential(name="ID", secret=InFile(name="ID", path=Path("/secrets/id"))),
    secret_access_key=Credential(name="S3", secret=InFile(name="S3", path=Path("/secrets/s3"))),
)
SERVER = Source(
    place=FtpsSource(
        place=FtpsFolder(user="alice", host="ftp.example.com", port=21, path=b"/www"),
        access=FtpsAccess(
            ca_file="/settings/ftps.pem",
            pin=None,
            allow_private=False,
            connections=8,
            reread_days=30,
            max_files=1,
            max_bytes=1,
            bytes_per_second=None,
        ),
        password=Password(name="P", secret=InFile(name="P", path=Path("/secrets/password"))),
    )
)
PROGRAM = Program(folders=(Path("/opt/program"),), environment={})


def needed(
    installation: Installation = ALICE, source: Source = FOLDER, program: Program = PROGRAM
) -> Needs:
    return needs(installation, source, program)


def is_readable(path: str, found: Needs) -> bool:
    return any(Path(path).is_relative_to(place) for place in (*found.read, *found.write))


def test_of_a_folder_its_own_is_read_and_its_own_places_are_written():
    found = needed()

    assert {FOLDER.place, ALICE.pins_file, Path("/opt/program")} <= set(found.read)
    assert [str(path) for path in found.write] == [
        "/ours/hot/alice",
        "/ours/cold/alice/www",
        "/dev/null",
    ]
    assert found.connect_ports == (53,)


@pytest.mark.parametrize(
    "path",
    [
        "/srv/bob/letter",
        "/ours/hot/bob/www/g1/config",
        "/ours/hot/lane.lock",
        "/ours/state/journal.sqlite3",
        "/ours/state/emitters/alice.key",
        "/ours/cold/bob/www/g1/config",
        "/ours/cold/alice/mail/g1/config",
        "/settings/.env",
        "/settings/customers/bob.toml",
        "/etc/unstoppable/.env",
        "/etc/shadow",
        "/etc/ssl/private/server.key",
        "/etc/pki/tls/private/server.key",
        "/root/.ssh/id_ed25519",
        "/home/bob/letter",
        "/tmp/letter",  # noqa: S108 - nothing is written
        "/var/tmp/letter",  # noqa: S108 - nothing is written
        "/run/secrets/bob",
        "/proc/1/environ",
        "/dev/vda",
    ],
)
def test_what_is_somebody_elses_is_not_needed(path):
    for installation in (ALICE, replace(ALICE, cold=BUCKET)):
        for source in (FOLDER, SERVER):
            assert not is_readable(path, needed(installation, source))


def test_the_files_of_its_secrets_are_read_where_secrets_are_in_files():
    in_file = InFile(name="K", path=Path("/secrets/key"))
    found = needed(replace(ALICE, key=replace(ALICE.key, secret=in_file), cold=BUCKET), SERVER)

    names = ("/secrets/key", "/secrets/id", "/secrets/s3", "/secrets/password")
    assert {*map(Path, (*names, "/settings/s3.pem", "/settings/ftps.pem"))} <= set(found.read)
    assert not is_readable("/secrets/other", found)


def test_no_file_of_a_secret_is_read_where_secrets_were_handed_over():
    given = Credential(name="X", secret=Literal("x"))
    bucket = replace(BUCKET, access_key_id=given, secret_access_key=given)

    assert not is_readable("/secrets/s3", needed(replace(ALICE, cold=bucket)))


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("https://s3.example.com", 443),
        ("https://s3.example.com:9000", 9000),
        ("http://127.0.0.1", 80),
        ("http://[::1]:7070", 7070),
    ],
)
def test_a_bucket_is_reached_at_its_port_alone(endpoint, port):
    cold = replace(BUCKET, access=replace(BUCKET.access, endpoint=endpoint))

    found = needed(replace(ALICE, cold=cold))

    assert found.connect_ports == (53, port)
    assert not any(path.is_relative_to("/ours/cold") for path in found.write)


def test_a_server_is_reached_at_any_port_and_no_folder_is_read_for_it():
    found = needed(source=SERVER)

    assert found.connect_ports is None
    assert not is_readable("/srv/alice", found)


def test_the_environment_may_name_where_certificates_and_zones_are():
    environment = {
        "SSL_CERT_FILE": "/other/certificates.pem",
        "SSL_CERT_DIR": "/one:/two",
        "TZDIR": "relative",
        "HOME": "/home/alice",
    }

    found = needed(program=replace(PROGRAM, environment=environment))

    assert {*map(Path, ("/other/certificates.pem", "/one", "/two"))} <= set(found.read)
    assert not is_readable("/home/alice/x", found)
    assert Path("relative") not in found.read
    assert Path() not in found.read


def test_the_program_that_runs_finds_its_own_modules():
    folders = Program.this().folders

    import unstoppable.cli.output as any_module  # noqa: PLC0415

    assert any(Path(any_module.__file__).is_relative_to(folder) for folder in folders)
    assert any(Path(pytest.__file__).is_relative_to(folder) for folder in folders)
    assert Path("/") not in folders
