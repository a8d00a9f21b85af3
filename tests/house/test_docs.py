"""The documents keep up with the code."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def names(dependencies: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_-]", dependency)[0] for dependency in dependencies}


def runtime_dependencies() -> set[str]:
    cockpit = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = names(cockpit["project"]["dependencies"])
    for room in ("core", "python"):
        crate = tomllib.loads((ROOT / "engine" / room / "Cargo.toml").read_text())
        found |= set(crate["dependencies"])
    return found - {"unstoppable-engine", "unstoppable-engine-core"}


def test_every_runtime_dependency_has_its_line_in_the_architecture():
    chapter = (ROOT / "docs" / "architecture.md").read_text().partition("## Dependencies")[2]

    lines = re.findall(r"^\| `([^`]+)` \|", chapter.partition("\n## ")[0], re.MULTILINE)

    assert sorted(lines) == sorted(runtime_dependencies())


def test_every_room_stands_in_the_architecture():
    rooms = {path.name for path in (ROOT / "src" / "unstoppable").iterdir() if path.is_dir()}
    architecture = (ROOT / "docs" / "architecture.md").read_text()

    assert {room for room in rooms - {"__pycache__"} if f"{room}/" not in architecture} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    prose = re.sub(r"```.*?```|`[^`]*`", "", document.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_holds_an_unfinished_place(document):
    assert not re.search(r"\b(TODO|FIXME|TBD|PASTE)\b", document.read_text())
