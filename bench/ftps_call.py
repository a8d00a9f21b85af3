"""A backup of a folder of an FTPS server by the engine, in a process of its own.

usage: python -m bench.ftps_call REPOSITORY PATH CONNECTIONS [unchanged]
   Prints wall and CPU seconds of the call as JSON, like engine_call.py, which makes repositories.
   With `unchanged`, a backup that reads more than a thousandth of the files is an error: so many
   may just be due to be read anew.

The server is at 127.0.0.1, and its port, user, password and authorities stand in the
environment: FTPS_PORT, FTPS_USER, FTPS_PASSWORD, FTPS_AUTHORITIES (a file).
"""

import os
import sys
from pathlib import Path

import unstoppable_engine as engine

from bench.engine_call import backup, timed


def source(path: str, connections: int) -> engine.Ftps:
    told = os.environ
    return engine.Ftps(
        "127.0.0.1",
        path,
        user=told["FTPS_USER"],
        password=told["FTPS_PASSWORD"],
        port=int(told["FTPS_PORT"]),
        authorities=Path(told["FTPS_AUTHORITIES"]).read_bytes(),
        connections=connections,
    )


def main() -> None:
    """Do what the arguments say and tell what it took."""
    repository, path, connections, *unchanged = sys.argv[1:]
    read = source(path, int(connections))
    cold, hot = Path(repository, "cold"), Path(repository, "hot")
    summary = timed(lambda: backup(cold, hot, read))
    read_files = summary.files_total - summary.files_unchanged
    if unchanged and read_files > summary.files_total / 1000:
        sys.exit(f"the backup read {read_files} of {summary.files_total} files")


if __name__ == "__main__":
    main()
