import pytest

from unstoppable.domain.infisical import InfisicalReference
from unstoppable.domain.reference import FileReference, VariableReference, parse

NOT_TOLD = "5ecret-that-somebody-put-here"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("env:ACME_KEY", VariableReference("ACME_KEY")),
        ("env:_a1", VariableReference("_a1")),
        ("file:/run/secrets/key", FileReference("/run/secrets/key")),
        ("file:/a b/c:d", FileReference("/a b/c:d")),
        ("file:acme/www.key", FileReference("acme/www.key")),
        ("infisical:/acme/KEY", InfisicalReference("/acme", "KEY")),
    ],
)
def test_a_reference_tells_where_a_secret_lies(text, reference):
    assert parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "neither env:, file: nor infisical:"),
        (NOT_TOLD, "neither env:, file: nor infisical:"),
        (f"ENV:{NOT_TOLD}", "neither env:, file: nor infisical:"),
        (f" env:{NOT_TOLD}", "neither env:, file: nor infisical:"),
        (f"vault:/{NOT_TOLD}", "neither env:, file: nor infisical:"),
        ("env:", "the name of a variable"),
        ("env:1A", "the name of a variable"),
        (f"env:{NOT_TOLD}", "the name of a variable"),
        (f"env:${NOT_TOLD}", "the name of a variable"),
        ("env:A\n", "the name of a variable"),
        ("file:", "starts with /"),
        (f"file:{NOT_TOLD}", "starts with /"),
        (f"file:~/{NOT_TOLD}", "starts with /"),
        (f"file:../{NOT_TOLD}", "starts with /"),
        (f"file:acme/../{NOT_TOLD}", "starts with /"),
        (f"file:acme/{NOT_TOLD.upper()}", "or is CUSTOMER/FILE"),
        (f"file:/{NOT_TOLD}/", "the path of a file"),
        (f"file:/{NOT_TOLD}\0", "no file can have"),
        (f"file:/{NOT_TOLD * 200}", "no file can have"),
        (f"infisical:{NOT_TOLD}", "starts with /"),
    ],
)
def test_what_is_no_reference_is_told_without_its_text(text, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        parse(text)

    assert NOT_TOLD not in str(raised.value)
