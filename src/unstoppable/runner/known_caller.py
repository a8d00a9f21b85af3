"""Who calls the schedule on this machine, as far as the machine tells."""

import os
import re
import shutil
import subprocess
from pathlib import Path

TIMER = Path("/etc/systemd/system/unstoppable.timer")
_TICK = re.compile(r"[^#]*\bunstoppable\b.*\bschedule tick\b")
_DEADLINE_SECONDS = 10


def who_calls_the_schedule(timer: Path = TIMER) -> str | None:
    """Return in words who calls `unstoppable schedule tick` here; None if nobody is known to.

    Root's timer and this user's crontab are looked at, nothing else: what /etc/cron.d holds, or
    another machine does, stays unknown.
    """
    if os.geteuid() == 0 and timer.exists():
        return f"the timer {timer}"
    if any(_TICK.match(line) for line in _crontab()):
        return "this user's crontab"
    return None


def _crontab() -> list[str]:
    """Return the lines of this user's crontab; none where there is none, or no cron at all."""
    program = shutil.which("crontab")
    if program is None:
        return []
    try:
        asked = subprocess.run(
            (program, "-l"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return asked.stdout.decode(errors="replace").splitlines() if asked.returncode == 0 else []
