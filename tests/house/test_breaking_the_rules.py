"""Every rule of the house is broken on purpose, and its tool goes red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.shape import too_long

ROOT = Path(__file__).parents[2]
CRATE = '[package]\nname = "planted"\nedition = "2024"\n[lints]\nworkspace = true\n[workspace]\n'


def run(*argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the Python sources and the cockpit."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("lint-imports")
    return run(str(tool), "--no-cache", cwd=tree, PYTHONPATH=str(tree / "src"))


def test_the_import_contracts_are_kept_without_a_violation(tree):
    result = lint_imports(tree)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("planted_in", "line", "contract"),
    [
        ("domain/planted.py", "import unstoppable.runner", "Rooms"),
        ("runner/planted.py", "import unstoppable.cli", "Rooms"),
        ("engine/places.py", "import unstoppable.cli", "Rooms"),
        ("attic/__init__.py", "", "Rooms"),
        ("domain/planted.py", "import os", "The domain does no input or output"),
        ("domain/planted.py", "import sqlite3", "The domain does no input or output"),
        (
            "runner/planted.py",
            "import unstoppable_engine",
            "Only engine knows the engine",
        ),
        ("cli/planted.py", "import unstoppable_engine", "Only engine knows the engine"),
    ],
)
def test_a_broken_import_contract_is_red(tree, planted_in, line, contract):
    planted = tree / "src" / "unstoppable" / planted_in
    planted.parent.mkdir(exist_ok=True)
    with planted.open("a") as file:
        file.write(f"{line}\n")

    result = lint_imports(tree)

    assert result.returncode == 1, result.stdout
    assert f"{contract} BROKEN" in result.stdout


@pytest.mark.parametrize(
    ("lines", "findings"), [(60, []), (61, ["src/planted.py: long of 61 lines"])]
)
def test_a_python_function_of_61_lines_is_red(tmp_path, lines, findings):
    body = "    pass\n" * (lines - 1)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "planted.py").write_text(f"def long():\n{body}")

    assert too_long(tmp_path) == findings


@pytest.mark.parametrize("suffix", ["py", "rs"])
def test_a_module_of_401_lines_is_red(tmp_path, suffix):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / f"planted.{suffix}").write_text("\n" * 401)

    assert too_long(tmp_path) == [f"src/planted.{suffix}: module of 401 lines"]


@pytest.mark.parametrize(("lines", "is_green"), [(60, True), (61, False)])
def test_a_rust_function_of_61_lines_is_red(tmp_path, lines, is_green):
    body = "    std::hint::black_box(0);\n" * lines
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").write_text(f"//! x\n/// x\npub fn long() {{\n{body}}}\n")
    (tmp_path / "Cargo.toml").write_text(CRATE + workspace_lints())
    shutil.copy(ROOT / "engine" / "clippy.toml", tmp_path)

    result = run(
        *("cargo", "clippy", "--offline", "--quiet", "--", "-D", "warnings"),
        cwd=tmp_path,
        CARGO_TARGET_DIR=str(tmp_path / "target"),
    )

    assert (result.returncode == 0) is is_green, result.stderr
    assert ("too many lines" not in result.stderr) is is_green


def workspace_lints() -> str:
    manifest = (ROOT / "engine" / "Cargo.toml").read_text()
    sections = manifest.split("\n[")
    return "".join(f"[{section}\n" for section in sections if section.startswith("workspace.lints"))


def test_a_skipped_test_is_red(tmp_path):
    (tmp_path / "test_planted.py").write_text(
        "import pytest\n\n@pytest.mark.skip\ndef test_planted(): ...\n"
    )

    result = run(
        *(
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.house.strict",
            "-c",
            str(ROOT / "pyproject.toml"),
        ),
        *("-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)),
        cwd=ROOT,
    )

    assert result.returncode == 1, result.stdout
    assert "skipped, and ./check runs every test" in result.stdout
