"""The sizes that no linter counts: lines of a Python function, lines of a module."""

import ast
from collections.abc import Iterator
from pathlib import Path

LONGEST_FUNCTION_LINES = 60  # clippy.toml says the same for Rust
LONGEST_MODULE_LINES = 400


def too_long(root: Path) -> list[str]:
    """Return one sentence for every function and module under `root` that is over its limit."""
    return [*_long_modules(root), *_long_functions(root)]


def _long_modules(root: Path) -> Iterator[str]:
    for path in _files(root, "*.py", "*.rs"):
        lines = len(path.read_text().splitlines())
        if lines > LONGEST_MODULE_LINES:
            yield f"{path.relative_to(root)}: module of {lines} lines"


def _long_functions(root: Path) -> Iterator[str]:
    for path in _files(root, "*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION_LINES:
                    yield f"{path.relative_to(root)}: {node.name} of {lines} lines"


def _files(root: Path, *patterns: str) -> Iterator[Path]:
    for room in ("src", "tests", "bench", "engine"):
        for pattern in patterns:
            for path in sorted((root / room).rglob(pattern)):
                if "target" not in path.relative_to(root).parts:
                    yield path
