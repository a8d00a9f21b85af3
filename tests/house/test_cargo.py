"""Checkouts share the folder of compiled code, and each gets its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CRATE = '[package]\nname = "told"\nversion = "0.1.0"\nedition = "2024"\n'
WORKSPACE = '[workspace]\nresolver = "3"\nmembers = ["core"]\n'


@pytest.fixture
def checkouts(tmp_path):
    """Two checkouts whose program tells which it is from."""
    return [checkout(tmp_path / name) for name in ("first", "second")]


def checkout(root: Path) -> Path:
    (root / "engine" / "core" / "src").mkdir(parents=True)
    (root / "packaging").mkdir()
    shutil.copy(ROOT / "packaging" / "cargo", root / "packaging")
    (root / "engine" / "Cargo.toml").write_text(WORKSPACE)
    (root / "engine" / "core" / "Cargo.toml").write_text(CRATE)
    main = f'fn main() {{\n    println!("{root.name}");\n}}\n'
    (root / "engine" / "core" / "src" / "main.rs").write_text(main)
    return root


def told(root: Path, target: Path) -> str:
    manifest = str(root / "engine" / "Cargo.toml")
    result = subprocess.run(
        (root / "packaging" / "cargo", "run", "--offline", "--quiet", "--manifest-path", manifest),
        env=dict(os.environ, CARGO_TARGET_DIR=str(target)),
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_what_another_checkout_compiled_later_is_not_taken_for_its_own(checkouts, tmp_path):
    first, second = checkouts

    heard = [told(root, tmp_path / "target") for root in (first, second, first, first)]

    assert heard == ["first", "second", "first", "first"]


def test_an_error_of_cargo_is_its_own(checkouts, tmp_path):
    first, _ = checkouts
    (first / "engine" / "core" / "src" / "main.rs").write_text("no code")

    with pytest.raises(subprocess.CalledProcessError) as raised:
        told(first, tmp_path / "target")

    assert raised.value.returncode == 101
    assert "main.rs" in raised.value.stderr
