"""Every error can say what it has to say."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from unstoppable.domain import (
    customer_errors,
    delivery_errors,
    errors,
    limit_errors,
    mount_errors,
    outlook_errors,
    record_errors,
    secret_errors,
    setup_errors,
    sheet_errors,
    source_errors,
    storage_errors,
)
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.outcome import ExitCode

SOURCE = Path(__file__).parents[3] / "src/unstoppable"
TREE = (
    customer_errors,
    delivery_errors,
    errors,
    limit_errors,
    mount_errors,
    outlook_errors,
    record_errors,
    secret_errors,
    setup_errors,
    sheet_errors,
    source_errors,
    storage_errors,
)


def leaves(kind: type[UnstoppableError] = UnstoppableError) -> Iterator[type[UnstoppableError]]:
    for child in kind.__subclasses__():
        if hasattr(child, "sentence_form"):
            yield child
        yield from leaves(child)


KINDS = {kind.__name__: kind for kind in leaves()}


def facts(kind: type[UnstoppableError]) -> set[str]:
    """Return what an error has to be told."""
    forms = kind.sentence_form + kind.hint_form
    return {name for _, name, _, _ in string.Formatter().parse(forms) if name}


def raises() -> Iterator[tuple[str, str, set[str]]]:
    """Return every place that makes an error: where, which, and the facts it gives."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in KINDS and node.keywords:
                    given = {word.arg for word in node.keywords if word.arg}
                    yield f"{path.name}:{node.lineno}", name, given


def test_no_module_of_errors_is_forgotten_here():
    files = (SOURCE / "domain").glob("*errors.py")

    assert {f"unstoppable.domain.{path.stem}" for path in files} == {
        module.__name__ for module in TREE
    }


@pytest.mark.parametrize(
    ("cause", "way_out"),
    [
        ("the server answered 404 NoSuchBucket", "is UNSTOPPABLE_COLD right"),
        ("the server answered 403 SignatureDoesNotMatch", "UNSTOPPABLE_S3_SECRET_ACCESS_KEY"),
        ("the server cannot be reached: refused", "UNSTOPPABLE_S3_ENDPOINT right"),
        ("the server is not trusted: unknown issuer", "UNSTOPPABLE_S3_CA_FILE"),
        ("it took longer than 60 s", "does the server work?"),
    ],
)
def test_what_a_server_says_has_its_own_way_out(cause, way_out):
    error = storage_errors.BucketFailed(resource="acme/www", cause=f"cannot read it: {cause}")

    assert way_out in error.hint
    assert error.hint.endswith(" what was stored before is untouched")
    assert "?;" not in error.hint


@pytest.mark.parametrize("kind", list(leaves()), ids=lambda kind: kind.__name__)
def test_every_error_is_one_lower_case_sentence_with_a_hint(kind):
    error = kind(**dict.fromkeys(facts(kind), "x"))

    for text in (str(error), error.hint):
        assert text == text.strip()
        assert not text.endswith(".")
        assert "\n" not in text
        assert text[0] == text[0].lower()
    assert isinstance(error.exit_code, ExitCode)
    assert error.exit_code is not ExitCode.SUCCEEDED


@pytest.mark.parametrize(("place", "name", "given"), list(raises()))
def test_every_place_gives_an_error_the_facts_it_needs(place, name, given):
    assert place
    assert facts(KINDS[name]) <= given


def test_no_two_errors_have_one_name():
    assert len(KINDS) == len(list(leaves()))


def test_facts_with_braces_are_only_text():
    assert str(errors.NameInvalid(name="{x}")) == "'{x}' is not a name"


def test_a_refusal_of_the_system_is_no_fault_of_the_program():
    refused = errors.unexpected(PermissionError(13, "Permission denied", "/x"))
    fault = errors.unexpected(KeyError("x"))

    assert isinstance(refused, errors.SystemRefused)
    assert isinstance(fault, errors.Fault)
    assert isinstance(fault.__cause__, KeyError)
