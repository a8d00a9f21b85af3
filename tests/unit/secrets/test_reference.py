import os
from pathlib import Path

import pytest

from unstoppable.domain.errors import FileUnsafe, SecretUnreadable
from unstoppable.domain.reference import FileReference, VariableReference
from unstoppable.domain.secret_errors import VariableUnset
from unstoppable.secrets.reference import InFile, Literal, on_this_machine


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"s3cret\n")
    path.chmod(0o600)
    return path


def test_a_secret_is_never_shown_by_accident(path):
    assert "s3cret" not in repr(Literal("s3cret")) + repr(InFile(name="X", path=path))


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"s3cret", "s3cret"), (b"s3cret\n", "s3cret"), (b"s3cret\n\n", "s3cret\n"), (b" x ", " x ")],
)
def test_one_line_break_at_the_end_is_not_part_of_a_secret(path, content, secret):
    path.write_bytes(content)

    assert InFile(name="X", path=path).resolve() == secret


def test_a_cluster_may_give_a_secret_to_a_group_through_a_link(path, tmp_path):
    path.chmod(0o440)
    (tmp_path / "link").symlink_to(path)

    assert InFile(name="X", path=tmp_path / "link").resolve() == "s3cret"


@pytest.mark.parametrize(
    ("mode", "reason", "remedy"),
    [
        (0o604, "others may read it", "chmod o-rwx "),
        (0o620, "others may write it", "chmod go-w "),
        (0o602, "others may write it", "chmod go-w "),
    ],
)
def test_a_secret_that_others_reach_is_refused_with_the_command_that_mends_it(
    path, mode, reason, remedy
):
    path.chmod(mode)

    with pytest.raises(FileUnsafe) as raised:
        InFile(name="X", path=path).resolve()

    assert str(raised.value) == f"{path} is not safe: {reason}"
    assert raised.value.hint == f"{remedy}{path}"


def test_a_secret_of_another_user_is_refused(path):
    os.chown(path, 65534, 65534)

    with pytest.raises(FileUnsafe, match="belongs to another user"):
        InFile(name="X", path=path).resolve()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * 100_000])
def test_a_secret_that_cannot_be_read_is_an_error(path, content):
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    with pytest.raises(SecretUnreadable) as raised:
        InFile(name="UNSTOPPABLE_KEY", path=path).resolve()

    assert "for UNSTOPPABLE_KEY" in str(raised.value)


def test_references_to_this_machine_are_read_when_they_are_needed(path, monkeypatch):
    beside = path.parents[1]
    in_file = on_this_machine(FileReference(str(path)), name="X", beside=beside)
    relative = FileReference(str(path.relative_to(beside)))
    in_folder = on_this_machine(relative, name="X", beside=beside)
    in_variable = on_this_machine(VariableReference("ACME_KEY"), name="X", beside=beside)
    monkeypatch.setenv("ACME_KEY", "of acme")

    assert (in_file.resolve(), in_variable.resolve()) == ("s3cret", "of acme")
    assert in_folder == in_file
    assert "of acme" not in repr(in_variable)


@pytest.mark.parametrize("content", [None, ""])
def test_a_variable_without_a_secret_is_an_error(content, monkeypatch):
    if content is not None:
        monkeypatch.setenv("ACME_KEY", content)

    with pytest.raises(VariableUnset) as raised:
        on_this_machine(
            VariableReference("ACME_KEY"), name="access_key_id", beside=Path("/")
        ).resolve()

    assert str(raised.value) == (
        "access_key_id is env:ACME_KEY, and the environment holds no ACME_KEY"
    )
