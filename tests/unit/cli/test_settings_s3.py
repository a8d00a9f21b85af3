"""The settings of cold in a bucket."""

from pathlib import Path

import pytest

from tests.unit.cli.test_settings import KEY, write
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.settings import load, read
from unstoppable.domain.errors import FileUnsafe
from unstoppable.domain.s3 import S3Access, S3Cold
from unstoppable.domain.storage_errors import CredentialInvalid, CredentialMissing

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKEY"
CREDENTIAL = (
    "UNSTOPPABLE_S3_ACCESS_KEY_ID=writer",
    f"UNSTOPPABLE_S3_SECRET_ACCESS_KEY={SECRET}",
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".env"


@pytest.fixture
def certificate(tmp_path):
    return write(tmp_path / "ca.pem", "-----BEGIN CERTIFICATE-----", "…")


def bucket_of(found: Configuration) -> S3Cold:
    assert isinstance(found.cold, S3Cold)
    return found.cold


def test_a_bucket_of_aws_needs_its_name_and_an_access_key(path):
    cold = bucket_of(load(write(path, "UNSTOPPABLE_COLD=s3://acme-backups/", *CREDENTIAL)))

    assert str(cold) == "s3://acme-backups"
    assert cold.access == S3Access(
        endpoint="https://s3.us-east-1.amazonaws.com",
        region="us-east-1",
        virtual_host=True,
        ca_file=None,
        connections=8,
        bytes_per_second=None,
    )
    assert (cold.access_key_id.resolve(), cold.secret_access_key.resolve()) == ("writer", SECRET)


def test_a_bucket_of_any_server_has_the_settings_of_that_server(path, certificate):
    lines = (
        "UNSTOPPABLE_COLD=s3://acme/x",
        "UNSTOPPABLE_S3_ENDPOINT=https://s3.example.org:9000/",
        "UNSTOPPABLE_S3_REGION=eu-central-1",
        f"UNSTOPPABLE_S3_CA_FILE={certificate}",
        "UNSTOPPABLE_S3_CONNECTIONS=64",
        "UNSTOPPABLE_S3_BANDWIDTH='20 MiB/s'",
    )

    cold = bucket_of(load(write(path, *lines, *CREDENTIAL)))

    assert cold.access == S3Access(
        endpoint="https://s3.example.org:9000",
        region="eu-central-1",
        virtual_host=False,
        ca_file=str(certificate),
        connections=64,
        bytes_per_second=20 << 20,
    )


@pytest.mark.parametrize(
    ("lines", "virtual_host"),
    [
        (("UNSTOPPABLE_COLD=s3://acme",), True),
        (("UNSTOPPABLE_COLD=s3://acme.example.org",), False),
        (("UNSTOPPABLE_COLD=s3://acme", "UNSTOPPABLE_S3_ADDRESSING=path"), False),
        (
            (
                "UNSTOPPABLE_COLD=s3://acme",
                "UNSTOPPABLE_S3_ENDPOINT=https://s3.example.org",
                "UNSTOPPABLE_S3_ADDRESSING=virtual-host",
            ),
            True,
        ),
    ],
)
def test_where_the_name_of_the_bucket_stands(path, lines, virtual_host):
    assert bucket_of(load(write(path, *lines))).access.virtual_host is virtual_host


@pytest.mark.parametrize("missing", [0, 1])
def test_half_an_access_key_is_told_when_the_bucket_is_opened_and_not_before(path, missing):
    lines = [*CREDENTIAL]
    name = lines.pop(missing).partition("=")[0]
    cold = bucket_of(load(write(path, "UNSTOPPABLE_COLD=s3://acme/x", *lines)))

    with pytest.raises(CredentialMissing, match=f"^{name} is not set, and cold is s3://acme/x$"):
        _ = (cold.access_key_id.resolve(), cold.secret_access_key.resolve())


def test_a_secret_is_never_shown(path):
    found = load(write(path, "UNSTOPPABLE_COLD=s3://acme", *CREDENTIAL, f"UNSTOPPABLE_KEY={KEY}"))

    shown = repr(found) + repr(found.cold) + repr(found.installation().places(None))
    assert SECRET not in shown
    with pytest.raises(CredentialInvalid, match=r"^UNSTOPPABLE_S3_SECRET_ACCESS_KEY ") as raised:
        load(write(path, f"UNSTOPPABLE_S3_SECRET_ACCESS_KEY='{SECRET} '"))
    assert SECRET not in str(raised.value)


def test_a_secret_in_a_file_is_read_when_the_bucket_is_opened(path, tmp_path):
    file = tmp_path / "secret"
    lines = (CREDENTIAL[0], f"UNSTOPPABLE_S3_SECRET_ACCESS_KEY_FILE={file}")
    cold = bucket_of(load(write(path, "UNSTOPPABLE_COLD=s3://acme", *lines)))

    write(file, SECRET)
    assert cold.secret_access_key.resolve() == SECRET
    write(file, f"{SECRET}\r")
    with pytest.raises(CredentialInvalid, match="line breaks, or blanks"):
        cold.secret_access_key.resolve()


def test_what_other_programs_are_told_is_not_read(path, monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "ENDPOINT_URL"):
        monkeypatch.setenv(f"AWS_{name}", "other")
    cold = bucket_of(load(write(path, "UNSTOPPABLE_COLD=s3://acme")))

    assert "other" not in repr(cold.access)
    with pytest.raises(CredentialMissing):
        cold.access_key_id.resolve()


def test_a_bucket_is_one_customers_and_a_folder_is_of_many(path):
    names = ("UNSTOPPABLE_CUSTOMER=acme", "UNSTOPPABLE_RESOURCE=www", f"UNSTOPPABLE_KEY={KEY}")
    bucket = load(write(path, "UNSTOPPABLE_COLD=s3://acme/x", "UNSTOPPABLE_HOT=/hot", *names))
    places = bucket.installation().places(None)
    assert (str(places.cold), str(places.hot)) == ("s3://acme/x/www/g1", "/hot/acme/www/g1")
    assert set(bucket.own_folders) == {"hot", "state"}

    folder = load(write(path, "UNSTOPPABLE_COLD=/cold", "UNSTOPPABLE_HOT=/hot", *names))
    places = folder.installation().places(None)
    assert (str(places.cold), str(places.hot)) == ("/cold/acme/www/g1", "/hot/acme/www/g1")
    assert folder.own_folders["cold"] == Path("/cold")


def test_certificates_that_others_may_write_are_not_trusted(path, certificate):
    lines = (f"UNSTOPPABLE_S3_CA_FILE={certificate}", "UNSTOPPABLE_COLD=s3://acme")
    certificate.chmod(0o666)

    with pytest.raises(FileUnsafe, match=r"ca\.pem is not safe: others may write it"):
        load(write(path, *lines))
    load(write(path, lines[0]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("no certificate", "holds no certificate as PEM")],
)
def test_certificates_that_are_none_are_told(path, certificate, content, reason):
    if content is None:
        certificate.unlink()
    else:
        certificate.write_text(content)

    found = read(write(path, f"UNSTOPPABLE_S3_CA_FILE={certificate}", "UNSTOPPABLE_COLD=s3://acme"))

    assert [reason in str(fault) for fault in found.faults] == [True]
    assert found.unknown == {"UNSTOPPABLE_S3_CA_FILE"}
