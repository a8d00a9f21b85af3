"""A run begins soon: it imports nothing that only some of them need."""

import subprocess
import sys

MANY_MODULES = {"httpx2", "rich", "segno"}


def imported_by(program: str) -> set[str]:
    argv = (sys.executable, "-c", f"import sys; {program}; print(*sys.modules)")
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


def test_a_run_imports_nothing_that_only_some_need():
    imported = imported_by("import unstoppable.cli.backup, unstoppable.cli.settings_model")

    assert "unstoppable.runner.run" in imported
    assert not MANY_MODULES & imported


def test_where_nobody_is_told_of_runs_a_look_at_what_waits_imports_nothing_more():
    imported = imported_by("from unstoppable.cli.undelivered import undelivered; undelivered([])")

    assert "unstoppable.cli.undelivered" in imported
    assert not MANY_MODULES & imported
