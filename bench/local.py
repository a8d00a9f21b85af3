"""Side by side: a backup of a local directory by us and by our peers.

usage: bench/local.py [--full] [--rounds N] [--workdir DIR] [--data DIR]

Every round runs every program once on a fresh repository, so that they share the machine's
weather; the table shows medians.  All repositories lie in one folder of one file system.
A bar is missed when both wall and CPU seconds exceed it by 10 %; then the exit status is 1.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TOLERANCE = 1.1
ENGINE, WHOLE, RESTIC, RUSTIC = "engine call", "unstoppable", "restic", "rustic"
FIRST, UNCHANGED, HELP = "first backup", "unchanged", "--help"
UNSTOPPABLE = str(Path(sys.executable).with_name("unstoppable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program works on a repository below the folder `{repository}`."""

    name: str
    create: tuple[str, ...]
    """Not measured; nothing if the first backup creates the repository."""
    first: tuple[str, ...]
    again: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one process took."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The most that `subject` may take for `work`, as a share of what `peer` took."""

    work: str
    subject: str
    peer: str
    share: float


BARS = (
    Bar(work=FIRST, subject=ENGINE, peer=RUSTIC, share=1.05),
    Bar(work=FIRST, subject=ENGINE, peer=RESTIC, share=1.0),
    Bar(work=UNCHANGED, subject=ENGINE, peer=RESTIC, share=0.6),
    Bar(work=UNCHANGED, subject=WHOLE, peer=RESTIC, share=0.9),
)
PEAK_MB_BAR = 200
HELP_SECONDS_BAR = 0.25

Samples = dict[tuple[str, str], list[Sample]]


def programs(data: Path, *, full: bool) -> list[Program]:
    """Return who takes part; builds the peers that are not in the cache."""
    peers = (RESTIC, RUSTIC) if full else (RESTIC,)
    paths = subprocess.check_output((HERE / "peers.sh", *peers), text=True).split()
    return [
        _engine(data),
        _whole(data),
        *(_PEERS[n](p, data) for n, p in zip(peers, paths, strict=True)),
    ]


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


def measure(argv: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Sample:
    """Run `argv` to its end; raises CalledProcessError when it fails."""
    fill = {"repository": str(folder / "repository")}
    filled = tuple(part.format(**fill) for part in argv)
    extra = {name: value.format(**fill) for name, value in environment.items()}
    home = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            filled,
            env=home | extra,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        sys.stderr.buffer.write(said)
        raise subprocess.CalledProcessError(process.returncode, filled)
    told = _told(said)
    cpu = usage.ru_utime + usage.ru_stime
    peak_mb = usage.ru_maxrss * 1024 / 1e6
    return Sample(wall=told.get("wall", wall), cpu=told.get("cpu", cpu), peak_mb=peak_mb)


def _told(output: bytes) -> dict[str, float]:
    """Return what engine_call.py measured around the call itself; nothing for other programs."""
    first = output.splitlines()[:1]
    return json.loads(first[0]) if first and first[0].startswith(b'{"wall"') else {}


def one_round(program: Program, workdir: Path, samples: Samples) -> None:
    """Create a repository, back up twice, and throw it away."""
    folder = Path(tempfile.mkdtemp(dir=workdir))
    (folder / "repository").mkdir()
    (folder / "home").mkdir()
    try:
        if program.create:
            measure(program.create, program.environment, folder)
        for work, argv in ((FIRST, program.first), (UNCHANGED, program.again)):
            os.sync()
            sample = measure(argv, program.environment, folder)
            samples.setdefault((work, program.name), []).append(sample)
    finally:
        shutil.rmtree(folder)


def median(samples: list[Sample]) -> Sample:
    """Return the medians of wall, CPU and peak, each for itself."""
    return Sample(
        wall=statistics.median(s.wall for s in samples),
        cpu=statistics.median(s.cpu for s in samples),
        peak_mb=statistics.median(s.peak_mb for s in samples),
    )


def table(medians: Mapping[tuple[str, str], Sample]) -> list[str]:
    """Return the Markdown table of what everything took."""
    lines = ["| work | program | wall s | CPU s | peak MB |", "|---|---|---:|---:|---:|"]
    for (work, name), taken in sorted(medians.items()):
        lines.append(
            f"| {work} | {name} | {taken.wall:.2f} | {taken.cpu:.2f} | {taken.peak_mb:.0f} |"
        )
    return lines


def verdicts(medians: Mapping[tuple[str, str], Sample]) -> list[str]:
    """Return the Markdown table of bars; peers that took no part are left out."""
    lines = ["| bar | wall | CPU | |", "|---|---:|---:|---|"]
    for bar in BARS:
        ours, peer = medians.get((bar.work, bar.subject)), medians.get((bar.work, bar.peer))
        if ours and peer:
            name = f"{bar.work}, {bar.subject} ≤ {bar.share} × {bar.peer}"
            wall, cpu = ours.wall / peer.wall, ours.cpu / peer.cpu
            missed = min(wall, cpu) > bar.share * TOLERANCE
            lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {'MISS' if missed else 'PASS'} |")
    peak = max(taken.peak_mb for (_, name), taken in medians.items() if name in {ENGINE, WHOLE})
    missed = peak > PEAK_MB_BAR
    lines.append(
        f"| peak memory ≤ {PEAK_MB_BAR} MB | {peak:.0f} | | {'MISS' if missed else 'PASS'} |"
    )
    if taken := medians.get((HELP, WHOLE)):
        missed = min(taken.wall, taken.cpu) > HELP_SECONDS_BAR * TOLERANCE
        name = f"`unstoppable --help` ≤ {HELP_SECONDS_BAR} s"
        verdict = "MISS" if missed else "PASS"
        lines.append(f"| {name} | {taken.wall:.2f} | {taken.cpu:.2f} | {verdict} |")
    return lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare backups of a local directory.")
    parser.add_argument("--full", action="store_true", help="with the rustic CLI too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--workdir", type=Path, help="where repositories lie; default: a new folder"
    )
    parser.add_argument(
        "--data", type=Path, help="what is backed up; default: a 2 GiB set, generated"
    )
    return parser.parse_args()


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
        helped = measure((UNSTOPPABLE, "--help"), {}, workdir)
        samples.setdefault((HELP, WHOLE), []).append(helped)
    medians = {key: median(taken) for key, taken in samples.items()}
    judged = verdicts(medians)
    print(*table(medians), "", *judged, sep="\n")
    return int(any("MISS" in line for line in judged))


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="unstoppable-bench-", dir=options.workdir) as folder:
        return run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
