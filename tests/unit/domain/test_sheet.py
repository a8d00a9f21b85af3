"""The sheet as plain text: it prints from anything, and its commands are real."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain import groups
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import S3Access
from unstoppable.domain.sheet import WIDTH, Sheet, as_text, word

SECRET = bytes(range(100, 132)).hex()
ACCESS = S3Access(
    endpoint="https://s3.example.org:9000",
    region="eu-central-1",
    virtual_host=False,
    ca_file=None,
    connections=8,
    bytes_per_second=None,
)
paths = st.binary(min_size=1, max_size=300).map(lambda rest: b"/" + rest.replace(b"\0", b"x"))


def a_sheet(
    kind: KeyKind = KeyKind.ROOT,
    *,
    cold: bytes = b"/var/lib/cold",
    name: str = "default/default",
    access: S3Access | None = None,
) -> Sheet:
    return Sheet(
        resource=ResourceName.parse(name),
        generation=1,
        kind=kind,
        secret=SECRET * (kind.value // 32),
        machine="web1",
        cold=cold,
        access=access,
        repository_id="1a" * 32,
        key_fingerprint="2b" * 32,
        written_at=datetime(2026, 11, 24, 8, 30, tzinfo=UTC),
        version="0.1.0",
    )


@pytest.mark.parametrize("kind", KeyKind)
def test_a_sheet_tells_all_that_a_person_needs(kind):
    text = as_text(a_sheet(kind, name="acme/www"))

    for fact in ("acme", "www", "web1", "/var/lib/cold", "1a" * 32, "2b" * 32):
        assert fact in text
    assert "generation  1\n" in text
    assert "2026-11-24 08:30 UTC by unstoppable 0.1.0" in text
    assert "UNSTOPPABLE_CUSTOMER=acme \\\nUNSTOPPABLE_RESOURCE=www \\\n" in text
    assert "docs/recovery.md" in text


def test_a_sheet_of_a_bucket_tells_the_server_and_asks_for_an_access_key():
    text = as_text(a_sheet(cold=b"s3://acme-backups/x", access=ACCESS))

    for fact in ("s3://acme-backups/x", "https://s3.example.org:9000", "eu-central-1"):
        assert text.count(fact) == 2, "among the facts and in the commands"
    assert "from whoever owns the bucket" in text
    assert "UNSTOPPABLE_S3_ADDRESSING=path \\\n" in text
    assert "UNSTOPPABLE_S3_ACCESS_KEY_ID=ID \\\n" in text
    assert 'UNSTOPPABLE_S3_SECRET_ACCESS_KEY_FILE="$PWD/s3-secret" \\\n' in text
    assert "Delete the files recovery-key and s3-secret" in text
    assert "ca.pem" not in text

    own = as_text(a_sheet(cold=b"s3://acme", access=replace(ACCESS, ca_file="/etc/ours.pem")))
    assert 'UNSTOPPABLE_S3_CA_FILE="$PWD/ca.pem" \\\n' in own
    assert "have its file there\nas ca.pem first" in own
    assert "/etc/ours.pem" not in own


@pytest.mark.parametrize("kind", KeyKind)
def test_the_longest_sheet_of_a_bucket_fits_80_columns(kind):
    access = replace(
        ACCESS,
        endpoint=f"https://{'a.' * 126}org:65535",
        region="r" * 64,
        ca_file="/etc/ca.pem",
        virtual_host=True,
    )

    lines = as_text(a_sheet(kind, cold=b"s3://" + b"b" * 63 + b"/p" * 200, access=access))

    assert max(map(len, lines.splitlines())) <= WIDTH


@pytest.mark.parametrize("kind", KeyKind)
def test_the_lines_of_the_secret_give_it_back(kind):
    sheet = a_sheet(kind)
    lines = as_text(sheet).partition("no difference.\n")[2].partition("To get")[0]

    assert groups.join(lines, len(sheet.secret)) == sheet.secret


def test_a_sheet_says_which_of_the_two_keys_it_holds():
    assert "The root secret, 64 digits: UNSTOPPABLE_KEY\n" in as_text(a_sheet())
    told = as_text(a_sheet(KeyKind.REPOSITORY))
    assert "The key of this repository alone, 128 digits: UNSTOPPABLE_REPOSITORY_KEY\n" in told
    assert 'UNSTOPPABLE_REPOSITORY_KEY_FILE="$PWD/recovery-key"' in told
    assert "UNSTOPPABLE_KEY" not in told


def test_names_that_are_the_default_need_no_setting():
    assert "UNSTOPPABLE_CUSTOMER" not in as_text(a_sheet())


def test_no_traceback_shows_the_secret():
    assert SECRET not in repr(a_sheet())


@given(paths, st.sampled_from(KeyKind))
def test_every_line_is_ascii_and_fits_80_columns(cold, kind):
    lines = as_text(a_sheet(kind, cold=cold, name=f"{'a' * 20}/{'b' * 20}")).splitlines()

    assert all(line.isascii() and line.isprintable() for line in lines)
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize(
    "path",
    [
        b"/var/lib/unstoppable/cold",
        b"/srv/my backups",
        b'/srv/it\'s $HOME `date` \\ "cold"',
        "/srv/bücher".encode(),
        b"/srv/\xff\n\x1b[2J",
        b"/a" * 200,
        b"/a b" * 200,
        b"/\xc3\xbc" * 200,
        b"/'\\" * 100,
    ],
)
@pytest.mark.parametrize("room", [None, 58])
def test_a_shell_reads_the_very_path(path, room):
    command = b"printf %s " + word(path, room=room).encode()

    read = subprocess.run(("bash", "-c", command), capture_output=True, check=True).stdout

    assert read == path
