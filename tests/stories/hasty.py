"""What a run is waited for, in times that a test can wait as well."""

from tests.stories.world import Machine

_PATCH = """
from datetime import timedelta
from unstoppable.runner import watchdog
from unstoppable.secrets import bounded

bounded.FILE_SECONDS = 1.0
watchdog.PATIENCE = watchdog.Patience({patience})
"""


def hurry(machine: Machine, *, look_seconds: float = 0.1, **seconds: float) -> None:
    """Have the program on this machine, and the runs that it starts, wait no longer than this."""
    folder = machine.root / "hasty"
    folder.mkdir(exist_ok=True)
    spans = {name: f"timedelta(seconds={length})" for name, length in seconds.items()}
    patience = {"look_seconds": str(look_seconds), **spans}
    said = ", ".join(f"{name}={value}" for name, value in patience.items())
    (folder / "sitecustomize.py").write_text(_PATCH.format(patience=said))
    machine.extra["PYTHONPATH"] = str(folder)
