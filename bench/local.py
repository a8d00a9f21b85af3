"""Side by side: a backup of a local directory by us and by our peers.

usage: python -m bench.local [--full] [--rounds N] [--workdir DIR] [--data DIR]

Every round runs every program once on a fresh repository, so that they share the machine's
weather; the table shows medians.  All repositories lie in one folder of one file system.
A bar is missed when both wall and CPU seconds exceed it by 10 %; then the exit status is 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure import (
    HERE,
    RESTIC,
    RUSTIC,
    UNSTOPPABLE,
    WHOLE,
    Bar,
    Command,
    Peak,
    Ratio,
    Samples,
    Seconds,
    measure,
    parser,
    peers,
    report,
)

ENGINE = "engine call"
FIRST, UNCHANGED, HELP = "first backup", "unchanged", "--help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program works on a repository below the folder `{repository}`."""

    name: str
    create: tuple[str, ...]
    """Not measured; nothing if the first backup creates the repository."""
    first: tuple[str, ...]
    again: tuple[str, ...]
    environment: Mapping[str, str]


BARS: tuple[Bar, ...] = (
    Ratio(work=FIRST, subject=ENGINE, peers=(RUSTIC,), share=1.05),
    Ratio(work=FIRST, subject=ENGINE, peers=(RESTIC,), share=1.0),
    Ratio(work=UNCHANGED, subject=ENGINE, peers=(RESTIC,), share=0.6),
    Ratio(work=UNCHANGED, subject=WHOLE, peers=(RESTIC,), share=0.9),
    Peak(name="peak memory", works=(FIRST, UNCHANGED, HELP), programs=(ENGINE, WHOLE), most_mb=200),
    Seconds(name="`unstoppable --help`", work=HELP, subject=WHOLE, most_seconds=0.25),
)


def programs(data: Path, *, full: bool) -> list[Program]:
    """Return who takes part; builds the peers that are not in the cache."""
    others = [_PEERS[name](path, data) for name, path in peers(full=full).items()]
    return [_engine(data), _whole(data), *others]


def _engine(data: Path) -> Program:
    call = (sys.executable, str(HERE / "engine_call.py"))
    return Program(
        name=ENGINE,
        create=(*call, "create", "{repository}"),
        first=(*call, "backup", "{repository}", str(data)),
        again=(*call, "backup", "{repository}", str(data)),
        environment={},
    )


def _whole(data: Path) -> Program:
    call = (UNSTOPPABLE, "--env-file", "{repository}/.env")
    places = ("hot", "cold", "state")
    return Program(
        name=WHOLE,
        create=(),
        first=(*call, "init", str(data)),
        again=(*call, "backup"),
        environment={f"UNSTOPPABLE_{place.upper()}": f"{{repository}}/{place}" for place in places},
    )


def _restic(path: str, data: Path) -> Program:
    return Program(
        name=RESTIC,
        create=(path, "init", "--quiet"),
        first=(path, "backup", "--quiet", str(data)),
        again=(path, "backup", "--quiet", str(data)),
        environment={"RESTIC_REPOSITORY": "{repository}/cold", "RESTIC_PASSWORD": "bench"},
    )


def _rustic(path: str, data: Path) -> Program:
    quiet = (path, "--no-progress", "--log-level=warn")
    return Program(
        name=RUSTIC,
        create=(*quiet, "init"),
        first=(*quiet, "backup", str(data)),
        again=(*quiet, "backup", str(data)),
        environment={"RUSTIC_REPOSITORY": "{repository}/cold", "RUSTIC_PASSWORD": "bench"},
    )


_PEERS = {RESTIC: _restic, RUSTIC: _rustic}


def one_round(program: Program, workdir: Path, samples: Samples) -> None:
    """Create a repository, back up twice, and throw it away."""
    folder = Path(tempfile.mkdtemp(dir=workdir))
    places = {"repository": folder / "repository", "home": folder / "home"}
    for place in places.values():
        place.mkdir()
    try:
        if program.create:
            measure(Command(argv=program.create, environment=program.environment), places)
        for work, argv in ((FIRST, program.first), (UNCHANGED, program.again)):
            os.sync()
            sample = measure(Command(argv=argv, environment=program.environment), places)
            samples.setdefault((work, program.name), []).append(sample)
    finally:
        shutil.rmtree(folder)


def arguments() -> argparse.Namespace:
    made = parser("Compare backups of a local directory.", rounds=5)
    made.add_argument("--data", type=Path, help="what is backed up; default: 2 GiB, generated")
    return made.parse_args()


def run(options: argparse.Namespace, workdir: Path) -> int:
    """Generate what is missing, run all rounds, print both tables."""
    data = options.data or workdir / "data"
    if not data.exists():
        subprocess.run((sys.executable, HERE / "gen_dataset.py", data), check=True)
    samples: Samples = {}
    taking_part = programs(data, full=options.full)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for program in taking_part:
            one_round(program, workdir, samples)
        helped = measure(Command(argv=(UNSTOPPABLE, "--help"), environment={}), {"home": workdir})
        samples.setdefault((HELP, WHOLE), []).append(helped)
    return report(samples, BARS)


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="unstoppable-bench-", dir=options.workdir) as folder:
        return run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
