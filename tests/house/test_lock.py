"""The lock, what is exported from it, and the versions that stand in several places."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = {"https://pypi.org", "https://files.pythonhosted.org"}


def toml(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def test_the_lock_names_public_registries_alone():
    hosts = set(re.findall(r"https?://[^/\"]+", (ROOT / "uv.lock").read_text()))

    assert hosts == PUBLIC


@pytest.mark.parametrize(
    ("file", "selection"),
    [
        ("requirements.txt", "--no-dev"),
        ("build-requirements.txt", "--only-group=build"),
        ("release-requirements.txt", "--only-group=release"),
    ],
)
def test_what_the_installer_fetches_is_what_the_lock_says(file, selection):
    export = ("uv", "export", "--quiet", "--format=requirements.txt", "--locked", selection)
    shape = ("--no-emit-workspace", "--no-header", "--no-annotate")

    exported = subprocess.run(
        (*export, *shape), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert (ROOT / "packaging" / file).read_text() == exported


def test_one_version_everywhere():
    ours = toml("pyproject.toml")["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert toml("engine/Cargo.toml")["workspace"]["package"]["version"] == ours
    assert re.findall(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)[:1] == [ours]
