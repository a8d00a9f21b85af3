"""Bundles that somebody hostile wrote: refused with a sentence, whatever is in them."""

import tarfile
import time
from io import BytesIO

import pytest

from unstoppable.domain.customer_errors import BundleInvalid
from unstoppable.runner.bundle import Bundle, read, write


def archive(kind: bytes, size: bytes) -> bytes:
    """Return an archive of one header, which says any size."""
    member = tarfile.TarInfo("customers/acme.toml")
    member.type = kind
    header = bytearray(member.tobuf())
    header[124:136], header[148:156] = size, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize(
    "size", [b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-0000000001\0", b"7" * 11 + b"\0"]
)
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


HEADER = tarfile.TarInfo("customers/acme.toml").tobuf(tarfile.USTAR_FORMAT)
END = bytes(1024)
FILES = {
    "acme.toml": b"name = 'x'",
    "acme.pins.json": b"{}",
    f"acme/a{'b' * 63}": b"5" * 512,
}


def special(kind: bytes, content: bytes) -> bytes:
    """Return what a member says about the one that follows, in the forms of GNU and of POSIX."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, len(content)
    padding = bytes(-len(content) % 512)
    return member.tobuf(tarfile.USTAR_FORMAT) + content + padding


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (tarfile.XHDTYPE, b"1" * 100_000),
        (tarfile.XGLTYPE, b"1" * 100_000),
        (tarfile.SOLARIS_XHDTYPE, b"1" * 100_000),
        (tarfile.XHDTYPE, b"16 path=bob.toml\n"),
        (tarfile.GNUTYPE_LONGNAME, b"customers/bob.toml\0"),
        (tarfile.GNUTYPE_LONGLINK, b"customers/bob.toml\0"),
        (tarfile.GNUTYPE_SPARSE, b"x"),
        (tarfile.CONTTYPE, b"x"),
        (tarfile.DIRTYPE, b""),
        (tarfile.FIFOTYPE, b""),
        (b"\0", b"x"),
    ],
)
def test_whatever_is_no_plain_file_is_refused_before_its_content_is_looked_at(
    tmp_path, kind, content
):
    path = tmp_path / "acme.tar"
    path.write_bytes(special(kind, content) + HEADER + END)
    before = time.process_time()

    with pytest.raises(BundleInvalid, match="'x' is no file in customers/"):
        read(path)

    assert time.process_time() - before < 0.5


def test_what_is_written_is_read_again_and_so_is_what_other_programs_pack(tmp_path):
    mine, split = tmp_path / "mine.tar", tmp_path / "split.tar"
    write(mine, Bundle(customer="acme", files=FILES))
    name = next(name for name in FILES if "/" in name)
    folder, _, file = f"customers/{name}".rpartition("/")
    header = bytearray(tarfile.TarInfo(file).tobuf(tarfile.USTAR_FORMAT))
    header[345 : 345 + len(folder)], header[148:156] = folder.encode(), b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    split.write_bytes(HEADER + bytes(header) + END)

    assert read(mine).files == FILES
    assert set(read(split).files) == {"acme.toml", name}


@pytest.mark.parametrize("length", [0, 1, 511, 512, 1024, 1025, 1536, -1024, -1023, -513])
def test_a_bundle_that_was_cut_anywhere_is_no_whole_archive(tmp_path, length):
    path = tmp_path / "acme.tar"
    write(path, Bundle(customer="acme", files=FILES))
    content = path.read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % 512) + END
    path.write_bytes(content[:length])

    with pytest.raises(BundleInvalid, match="it is no whole tar archive"):
        read(path)


def test_what_is_damaged_in_the_middle_ends_no_bundle_early(tmp_path):
    path = tmp_path / "acme.tar"
    path.write_bytes(HEADER + b"x" * 512 + HEADER + END)

    with pytest.raises(BundleInvalid, match="it is no whole tar archive"):
        read(path)
