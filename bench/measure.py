"""What the benchmarks share: running a program, medians, tables, and bars.

A bar is missed when both wall and CPU seconds exceed it by 10 %.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol

HERE = Path(__file__).parent
TOLERANCE = 1.1
WHOLE, RESTIC, RUSTIC = "unstoppable", "restic", "rustic"
UNSTOPPABLE = str(Path(sys.executable).with_name("unstoppable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one process took."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run; `{name}` in arguments and environment stands for one of the places."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


Samples = dict[tuple[str, str], list[Sample]]
"""By work and program."""
Medians = Mapping[tuple[str, str], Sample]


class Bar(Protocol):
    """What a program may take at most."""

    def row(self, medians: Medians) -> str | None:
        """Return the row of the table, or None when somebody it needs took no part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The most that `subject` may take for `work`, as a share of what the fastest peer took."""

    work: str
    subject: str
    peers: tuple[str, ...]
    share: float

    def row(self, medians: Medians) -> str | None:
        """Compare with the fastest of the peers that took part."""
        taken = [
            (medians[self.work, name], name) for name in self.peers if (self.work, name) in medians
        ]
        ours = medians.get((self.work, self.subject))
        if ours is None or not taken:
            return None
        peer, name = min(taken, key=lambda one: one[0].wall)
        wall, cpu = ours.wall / peer.wall, ours.cpu / peer.cpu
        missed = min(wall, cpu) > self.share * TOLERANCE
        bar = f"{self.work}, {self.subject} ≤ {self.share} × {name}"
        return _row(bar, f"{wall:.2f}", f"{cpu:.2f}", missed=missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The most wall seconds `subject` may take, as a share of what the fastest peer took.

    For works that wait for a line most of the time, so that processor time says little.  Of
    several works everybody's best counts.
    """

    name: str
    works: tuple[str, ...]
    subject: str
    peers: tuple[str, ...]
    share: float

    def row(self, medians: Medians) -> str | None:
        """Compare everybody's best."""
        ours = self._best(medians, self.subject)
        taken = [(best, name) for name in self.peers if (best := self._best(medians, name))]
        if ours is None or not taken:
            return None
        peer, name = min(taken)
        bar = f"{self.name}, {self.subject} ≤ {self.share} × {name}"
        missed = ours / peer > self.share * TOLERANCE
        return _row(bar, f"{ours / peer:.2f}", "", missed=missed)

    def _best(self, medians: Medians, name: str) -> float | None:
        keys = [(work, name) for work in self.works]
        return min((medians[key].wall for key in keys if key in medians), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most memory that any of `programs` may occupy for any of `works`."""

    name: str
    works: tuple[str, ...]
    programs: tuple[str, ...]
    most_mb: int

    def row(self, medians: Medians) -> str | None:
        """Take the highest peak."""
        keys = [(work, program) for work in self.works for program in self.programs]
        peaks = [medians[key].peak_mb for key in keys if key in medians]
        if not peaks:
            return None
        bar = f"{self.name} ≤ {self.most_mb} MB"
        return _row(bar, f"{max(peaks):.0f}", "", missed=max(peaks) > self.most_mb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """The most seconds that `subject` may take for `work`."""

    name: str
    work: str
    subject: str
    most_seconds: float

    def row(self, medians: Medians) -> str | None:
        """Take the seconds as they are."""
        taken = medians.get((self.work, self.subject))
        if taken is None:
            return None
        missed = min(taken.wall, taken.cpu) > self.most_seconds * TOLERANCE
        bar = f"{self.name} ≤ {self.most_seconds} s"
        return _row(bar, f"{taken.wall:.2f}", f"{taken.cpu:.2f}", missed=missed)


def parser(description: str, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark may be told."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--full", action="store_true", help="with the rustic CLI too")
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--workdir", type=Path, help="where all lies; default: a new folder")
    return made


def peers(*, full: bool) -> dict[str, str]:
    """Return the peers' names and paths; builds those that are not in the cache."""
    names = (RESTIC, RUSTIC) if full else (RESTIC,)
    paths = subprocess.check_output((HERE / "peers.sh", *names), text=True).split()
    return dict(zip(names, paths, strict=True))


def measure(command: Command, places: Mapping[str, Path | str]) -> Sample:
    """Run a command to its end; raises CalledProcessError when it fails."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = _start(command, places, output, output)
        sample = _end(process, began, output)
        output.seek(0)
        return replace(sample, **_told(output.readline()))


def measure_first_line(command: Command, places: Mapping[str, Path]) -> Sample:
    """Run a command to its end, but count the wall seconds until its first line only."""
    with tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = _start(command, places, subprocess.PIPE, complaints)
        if process.stdout is None:
            raise TypeError("there is no pipe to read")
        with process.stdout as lines:
            lines.readline()
            wall = time.perf_counter() - began
            while lines.read(1 << 20):
                pass
        return replace(_end(process, began, complaints), wall=wall)


def _start(
    command: Command,
    places: Mapping[str, Path | str],
    output: IO[bytes] | int,
    complaints: IO[bytes],
) -> subprocess.Popen[bytes]:
    extra = {name: value.format(**places) for name, value in command.environment.items()}
    return subprocess.Popen(
        tuple(part.format(**places) for part in command.argv),
        env={"HOME": str(places["home"]), "PATH": os.environ["PATH"]} | extra,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=complaints,
    )


def _end(process: subprocess.Popen[bytes], began: float, said: IO[bytes]) -> Sample:
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said.seek(0)
        sys.stderr.buffer.write(said.read())
        raise subprocess.CalledProcessError(process.returncode, process.args)
    cpu = usage.ru_utime + usage.ru_stime
    return Sample(wall=wall, cpu=cpu, peak_mb=usage.ru_maxrss * 1024 / 1e6)


def _told(line: bytes) -> dict[str, float]:
    """Return what engine_call.py measured around the call itself; nothing for other programs."""
    return json.loads(line) if line.startswith(b'{"wall"') else {}


def medians_of(samples: Samples) -> Medians:
    """Return the medians of wall, CPU and peak, each for itself."""
    return {
        key: Sample(
            wall=statistics.median(one.wall for one in taken),
            cpu=statistics.median(one.cpu for one in taken),
            peak_mb=statistics.median(one.peak_mb for one in taken),
        )
        for key, taken in samples.items()
    }


def report(samples: Samples, bars: Iterable[Bar]) -> int:
    """Print both tables; returns the exit status: 1 when a bar was missed."""
    medians = medians_of(samples)
    print("| work | program | wall s | CPU s | peak MB |", "|---|---|---:|---:|---:|", sep="\n")
    for (work, name), taken in sorted(medians.items()):
        numbers = f"{taken.wall:.2f} | {taken.cpu:.2f} | {taken.peak_mb:.0f}"
        print(f"| {work} | {name} | {numbers} |")
    judged = [row for bar in bars if (row := bar.row(medians))]
    print("", "| bar | wall | CPU | |", "|---|---:|---:|---|", *judged, sep="\n", flush=True)
    return int(any("MISS" in row for row in judged))


def _row(bar: str, first: str, second: str, *, missed: bool) -> str:
    return f"| {bar} | {first} | {second} | {'MISS' if missed else 'PASS'} |"
