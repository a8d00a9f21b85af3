"""A run begins soon: it imports nothing that only some of them need."""

import subprocess
import sys

MANY_MODULES = {"httpx2", "rich", "segno"}


def test_a_run_imports_nothing_that_only_some_need():
    program = (
        "import sys, unstoppable.cli.backup, unstoppable.cli.settings_model; print(*sys.modules)"
    )
    argv = (sys.executable, "-c", program)

    imported = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()

    assert "unstoppable.runner.run" in imported
    assert not MANY_MODULES & set(imported)
