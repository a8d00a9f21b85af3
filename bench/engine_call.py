"""One call of the engine in a process of its own; prints its wall and CPU seconds as JSON.

usage: engine_call.py create REPOSITORY | engine_call.py backup REPOSITORY SOURCE
"""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import unstoppable_engine as engine

T = TypeVar("T")
BIRTH = engine.Birth("bench", "data", 1)
KEY = engine.derive_repository_key(hashlib.sha256(b"unstoppable bench").digest(), BIRTH)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def create(cold: Path, hot: Path) -> None:
    now = int(time.time())
    engine.create_repository(
        cold=str(cold), hot=str(hot), key=KEY, birth=BIRTH, created_at_seconds=now
    )


def backup(cold: Path, hot: Path, source: str | engine.Ftps) -> engine.BackupSummary:
    repository = engine.Repository.open(
        cold=str(cold), hot=str(hot), key=KEY, pins=None, mode="append"
    )
    summary = repository.backup(source, run_id="bench", started_at_seconds=int(time.time()))
    if summary.tags:
        sys.exit(f"the backup is {summary.tags}: {summary.issues[:3]}")
    return summary


def timed(call: Callable[[], T]) -> T:
    """Return what a call returns, and tell what it took."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = call()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}))
    return result


def main() -> None:
    """Do what the arguments say and tell what it took."""
    work, repository, *source = sys.argv[1:]
    cold, hot = Path(repository, "cold"), Path(repository, "hot")
    if work == "create":
        timed(lambda: create(cold, hot))
    else:
        timed(lambda: backup(cold, hot, *source))


if __name__ == "__main__":
    main()
