"""Bundles that somebody hostile wrote: refused with a sentence, whatever is in them."""

import tarfile
from io import BytesIO

import pytest

from unstoppable.domain.customer_errors import BundleInvalid
from unstoppable.runner.bundle import read


def archive(kind: bytes, size: bytes) -> bytes:
    """Return an archive of one header, which says any size."""
    member = tarfile.TarInfo("customers/acme.toml")
    member.type = kind
    header = bytearray(member.tobuf())
    header[124:136], header[148:156] = size, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("size", [b"\x80" + b"\xff" * 11, b"\xff" * 12, b"7" * 11 + b"\0"])
def test_a_bundle_with_impossible_sizes_is_refused(tmp_path, kind, size):
    path = tmp_path / "acme.tar"
    path.write_bytes(archive(kind, size))

    with pytest.raises(BundleInvalid):
        read(path)


def bundle(path, customer_file: str) -> None:
    pack(path, {"acme.toml": customer_file, "acme.pins.json": "{}", "acme/www.key": "5ecret"})


def pack(path, files: dict[str, str]) -> None:
    with tarfile.open(path, "w") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(f"customers/{name}")
            member.size = len(content)
            made.addfile(member, BytesIO(content.encode()))


@pytest.mark.parametrize(
    "reference",
    ["file:bob/www.key", "file:acme/root-secret", "file:/etc/shadow", "env:SMTP_PASSWORD"],
)
@pytest.mark.parametrize(
    "form",
    [
        'source = "ftps://u@evil.example/x"\npassword = "{}"',
        '[resources.www]\npassword = "{}"',
        'infisical = {{ client_id = "x", client_secret = "{}" }}',
    ],
)
def test_a_bundle_refers_to_no_secret_of_anybody_else(tmp_path, form, reference):
    path = tmp_path / "acme.tar"
    bundle(path, form.format(reference))

    with pytest.raises(BundleInvalid, match=r"acme\.toml refers to a secret that it does not hold"):
        read(path)


def test_a_bundle_refers_to_what_it_holds_and_to_secrets_that_its_customer_has_elsewhere(tmp_path):
    path = tmp_path / "acme.tar"
    bundle(
        path,
        'name = "file: a title"\nsecret_access_key = "infisical:/acme/S3"\n'
        '[resources.www]\nexclude = ["env:*"]\nrepository_key = "file:acme/www.key"\n',
    )

    assert read(path).customer == "acme"


@pytest.mark.parametrize("key", ["password", "ping_url", "repository_key"])
@pytest.mark.parametrize(
    "reference", ["infisical:/acme/MAIL_KEY", "file:acme/mail.key", "env:ACME_KEY"]
)
def test_a_further_resource_brings_its_secrets_and_refers_to_none_of_its_customers(
    tmp_path, key, reference
):
    path = tmp_path / "shop.tar"
    files = {"acme/shop.pins.json": "{}", "acme/shop.key": "5ecret", "acme/shop.password": "x"}
    table = '[resources.shop]\nsource = "ftps://u@evil.example/x"\n'
    pack(path, files | {"acme/shop.toml": f'{table}{key} = "{reference}"\n'})

    with pytest.raises(BundleInvalid, match=r"shop\.toml refers to a secret that it does not hold"):
        read(path)
    pack(path, files | {"acme/shop.toml": f'{table}{key} = "file:acme/shop.password"\n'})
    assert read(path).resource == "shop"
