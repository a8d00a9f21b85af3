import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain import infisical
from unstoppable.domain.infisical import ClientSecret, Identity, InfisicalReference
from unstoppable.domain.secret_errors import ClientSecretInvalid
from unstoppable.secrets.reference import Literal

NOT_TOLD = "5ecret-that-somebody-put-here"


def identity(server: str) -> Identity:
    return Identity(
        customer="acme",
        server=server,
        project_id="p",
        environment="prod",
        client_id="c",
        client_secret=ClientSecret(name="X", secret=Literal("s3cret")),
    )


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("infisical:/acme/S3_KEY_ID", "/acme", "S3_KEY_ID"),
        ("infisical:/S3_KEY_ID", "/", "S3_KEY_ID"),
        ("infisical:/customers/acme/www/KEY", "/customers/acme/www", "KEY"),
        ("infisical:/two words/grün/a.b-c", "/two words/grün", "a.b-c"),
    ],
)
def test_a_reference_is_a_folder_and_a_name(text, path, name):
    reference = InfisicalReference.parse(text)

    assert (reference.path, reference.name, str(reference)) == (path, name, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("infisical:", "starts with /"),
        (f"infisical:{NOT_TOLD}", "starts with /"),
        ("infisical:/", "the name of the secret is missing"),
        (f"infisical:/{NOT_TOLD}/", "the name of the secret is missing"),
        (f"infisical://{NOT_TOLD}", "//"),
        (f"infisical:/acme//{NOT_TOLD}", "//"),
        (f"infisical:/acme/../{NOT_TOLD}", "in place of a folder"),
        (f"infisical:/./{NOT_TOLD}", "in place of a folder"),
        ("infisical:/acme/..", "in place of a folder"),
        (f"infisical:/acme/ {NOT_TOLD}", "blanks around"),
        (f"infisical:/acme /{NOT_TOLD}", "blanks around"),
        (f"infisical:/acme/{NOT_TOLD}\n", "not printed"),
        (f"infisical:/ac\x1b[2Jme/{NOT_TOLD}", "not printed"),
        (f"infisical:/{NOT_TOLD * 50}", "longer than 1024"),
    ],
)
def test_what_is_no_reference_is_told_without_its_text(text, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        InfisicalReference.parse(text)

    assert NOT_TOLD not in str(raised.value)


@given(st.lists(st.text(min_size=1), min_size=1), st.text())
def test_every_reference_that_is_taken_comes_back_as_it_was(folders, name):
    text = "infisical:/" + "/".join([*folders, name])
    try:
        reference = InfisicalReference.parse(text)
    except ValueError:
        return

    assert str(reference) == text
    assert InfisicalReference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://app.infisical.com", "https://app.infisical.com"),
        ("https://secrets.example:8443/", "https://secrets.example:8443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_address_of_a_server_is_encrypted_or_on_this_machine(text, address):
    assert infisical.address(text) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://infisical.example.com", "not encrypted"),
        ("http://10.0.0.1", "not encrypted"),
        ("ftp://infisical.example.com", "such as https://infisical.example.com"),
        ("infisical.example.com", "such as https://infisical.example.com"),
        ("https://app.infisical.com/api", "more than https://, a host and a port"),
        ("https://app.infisical.com?x=1", "more than https://, a host and a port"),
        ("https://user:5ecret@infisical.example.com", "a user or a password"),
        ("https://app.infisical.com:99999", "is no address"),
    ],
)
def test_another_address_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        infisical.address(text)

    assert "5ecret" not in str(raised.value)


@pytest.mark.parametrize("server", ["http://infisical.example.com", "https://a.example/"])
def test_no_identity_is_made_with_an_address_that_nobody_looked_at(server):
    with pytest.raises(ValueError, match=r"not encrypted|shortest form"):
        identity(server)


@pytest.mark.parametrize("read", [infisical.project_id, infisical.environment, infisical.client_id])
@pytest.mark.parametrize("text", ["", "-a", "a b", "a/b", "a?b=c", "ä", "a\n", "a" * 129])
def test_an_id_that_is_none_is_told_without_its_text(read, text):
    with pytest.raises(ValueError, match=r"^it is no "):
        read(text)


@pytest.mark.parametrize("read", [infisical.project_id, infisical.environment, infisical.client_id])
def test_ids_are_taken_as_they_are(read):
    assert read("2f5c1d0e-7a41-4c59-9a5b-8e7c6d5f4a3b") == "2f5c1d0e-7a41-4c59-9a5b-8e7c6d5f4a3b"


@pytest.mark.parametrize("text", ["", " s3cret", "s3cret\n", "s3\ncret"])
def test_a_client_secret_that_no_server_gives_out_is_told_without_its_text(text):
    with pytest.raises(ClientSecretInvalid) as raised:
        ClientSecret(name="UNSTOPPABLE_X", secret=Literal(text)).resolve()

    assert str(raised.value).startswith("UNSTOPPABLE_X is no client secret: it ")
    assert "s3" not in str(raised.value)


def test_no_secret_is_shown_by_accident():
    resolved = infisical.Resolved(value="s3cret", version=3)

    assert "s3cret" not in repr(identity("https://a.example")) + repr(resolved)
