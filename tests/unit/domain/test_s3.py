import pytest

from unstoppable.domain import s3
from unstoppable.domain.s3 import S3Prefix
from unstoppable.domain.storage_errors import CredentialInvalid


@pytest.mark.parametrize(
    ("text", "bucket", "prefix", "told"),
    [
        ("s3://acme", "acme", "", "s3://acme"),
        ("s3://acme/", "acme", "", "s3://acme"),
        (
            "s3://acme.backups-1/a/b_c.d/",
            "acme.backups-1",
            "a/b_c.d",
            "s3://acme.backups-1/a/b_c.d",
        ),
    ],
)
def test_a_place_in_a_bucket_is_read_and_told(text, bucket, prefix, told):
    place = S3Prefix.parse(text)

    assert (place.bucket, place.prefix, str(place)) == (bucket, prefix, told)
    assert str(place.below("www", "g1")) == f"{told}/www/g1"


def test_a_prefix_that_leaves_no_room_for_objects_is_refused():
    with pytest.raises(ValueError, match="longer than 512"):
        S3Prefix.parse(f"s3://acme/{'a' * 513}")


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3://ab",
        "s3://Acme",
        "s3://acme_backups",
        "s3://-acme",
        "s3://acme-",
        "s3://ac..me",
        "s3://192.168.1.1",
        f"s3://{'a' * 64}",
        "s3://acme//b",
        "s3://acme/a//",
        "s3://acme/.",
        "s3://acme/a/../b",
        "s3://acme/a b",
        "s3://acme/a?b",
        "s3://acme/\N{LATIN SMALL LETTER A WITH DIAERESIS}",
        "s3://user@acme",
        "s3://user:secret@host/acme",
    ],
)
def test_a_place_that_could_be_another_is_refused(text):
    with pytest.raises(ValueError, match=r"^'|^a user"):
        S3Prefix.parse(text)


def test_a_password_written_into_a_place_is_not_told():
    with pytest.raises(ValueError, match="does not belong there") as raised:
        S3Prefix.parse("s3://user:secret@host/acme")

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://s3.example.com", "https://s3.example.com"),
        ("https://S3.Example.com:9000/", "https://s3.example.com:9000"),
        ("http://127.0.0.1:7070", "http://127.0.0.1:7070"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_endpoint_is_host_and_port(text, address):
    assert s3.endpoint(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3.example.com",
        "ftp://s3.example.com",
        "https://",
        "https://s3.example.com/bucket",
        "https://s3.example.com?x=1",
        "https://s3.example.com#x",
        "https://user:secret@s3.example.com",
        "https://user:secret@s3.example.com:99999",
        "https://s3.example.com:99999",
        "https://s3.example.com:0",
        "https://s3.example.com//",
        "https://s3 example.com",
        "https://s3.example.com\n",
        "https://s3.exam\tple.com",
        "https://s3_example.com%00",
        "http://[::2]",
        "http://127.0.0.1.example.com",
        "https://[::1",
        "http://s3.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
    ],
)
def test_what_is_more_or_less_than_an_encrypted_address_is_refused(text):
    with pytest.raises(ValueError, match=r"address|encrypted|holds more|password") as raised:
        s3.endpoint(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "secret\n", "secret\r", " secret", "secret ", "sec\tret"])
def test_what_no_access_key_holds_is_refused_and_not_told(text):
    with pytest.raises(
        CredentialInvalid, match=r"^NAME is no part of an access key: it "
    ) as raised:
        s3.credential(text, name="NAME")

    assert "cret" not in str(raised.value) + raised.value.hint
