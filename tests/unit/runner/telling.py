"""A process that tells a reporter of records, to be killed."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from unstoppable.runner.journal import Journal
from unstoppable.runner.outbox import Outbox
from unstoppable.runner.post import Post
from unstoppable.runner.reporting import Means, report


def start(*arguments: object, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start this module as a program, without measuring coverage."""
    return subprocess.Popen(
        (sys.executable, "-m", "tests.unit.runner.telling", *map(str, arguments)),
        env={name: value for name, value in environment.items() if "COVERAGE" not in name},
        cwd=Path(__file__).parents[3],
        text=True,
    )


def tell(state: Path, reporter: str, authority: Path) -> None:
    """Tell until nothing waits; others may do the same at once."""
    outbox, journal = Outbox(state), Journal(state)
    while journal.count_after("alice", outbox.reported("alice", reporter).run):
        with outbox.alone("alice.lock") as is_mine, Post(authority) as post:
            if is_mine:
                means = Means(
                    outbox=outbox, journal=journal, post=post, now=lambda: datetime.now(UTC)
                )
                report(means, "alice", reporter)


if __name__ == "__main__":
    tell(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
