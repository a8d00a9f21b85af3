"""Side by side: restore and check by us and by our peers.

usage: python -m bench.restore [--full] [--rounds N] [--workdir DIR] [--data DIR]

Every program has its own repository of the same data, made once and not measured.  Every round
runs every program once; a restore goes into a fresh folder on the same file system and is
compared with the source, so that nobody wins by not restoring.  The repository of a million
files is ours alone: there the peak is what counts.
A bar is missed when both wall and CPU seconds exceed it by 10 %; then the exit status is 1.
"""

import argparse
import hashlib
import os
import shutil
import struct
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
    measure_first_line,
    parser,
    peers,
    report,
)

LARGE, SMALL, CHECK = "restore 2 GiB", "restore 100,000 small files", "check 2 GiB"
MILLION_RESTORE, MILLION_CHECK = "restore 1,000,000 files", "check 1,000,000 files"
MILLION_LIST = "ls 1,000,000 files, first line"
SMALL_FILES = ("--bin-files=0", "--text-files=100000", "--text-mib=830", "--text-dirs=1000")
"""From 2 to 15 KiB each."""
FILES, BLOBS_PER_FILE = 1_000_000, 3

BARS: tuple[Bar, ...] = (
    Ratio(work=LARGE, subject=WHOLE, peers=(RESTIC,), share=1.0),
    Ratio(work=SMALL, subject=WHOLE, peers=(RESTIC,), share=0.8),
    Ratio(work=CHECK, subject=WHOLE, peers=(RESTIC, RUSTIC), share=1.0),
    Peak(name=f"{LARGE}, peak memory", works=(LARGE,), programs=(WHOLE,), most_mb=300),
    Peak(
        name="restore and check 1,000,000 files, peak memory",
        works=(MILLION_RESTORE, MILLION_CHECK),
        programs=(WHOLE,),
        most_mb=300,
    ),
    Seconds(name=MILLION_LIST, work=MILLION_LIST, subject=WHOLE, most_seconds=0.5),
    Peak(
        name="ls 1,000,000 files, peak memory",
        works=(MILLION_LIST,),
        programs=(WHOLE,),
        most_mb=200,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program makes, restores into `{target}` and checks its repository `{repository}`."""

    name: str
    make: tuple[tuple[str, ...], ...]
    restore: tuple[str, ...]
    check: tuple[str, ...]
    environment: Mapping[str, str]

    def command(self, argv: tuple[str, ...]) -> Command:
        """Return `argv` in the program's environment."""
        return Command(argv=argv, environment=self.environment)


def programs(*, full: bool) -> list[Program]:
    """Return who takes part; builds the peers that are not in the cache."""
    others = [_PEERS[name](path) for name, path in peers(full=full).items()]
    return [_whole(), *others]


def _whole() -> Program:
    call = (UNSTOPPABLE, "--env-file", "{repository}/.env")
    places = ("hot", "cold", "state")
    return Program(
        name=WHOLE,
        make=((*call, "init", "{source}"),),
        restore=(*call, "restore", "--to", "{target}"),
        check=(*call, "check", "--read-data=all"),
        environment={f"UNSTOPPABLE_{place.upper()}": f"{{repository}}/{place}" for place in places},
    )


def _restic(path: str) -> Program:
    quiet = (path, "--quiet")
    return Program(
        name=RESTIC,
        make=((*quiet, "init"), (*quiet, "backup", "{source}")),
        restore=(*quiet, "restore", "latest:{source}", "--target", "{target}"),
        check=(*quiet, "check", "--read-data"),
        environment={"RESTIC_REPOSITORY": "{repository}/cold", "RESTIC_PASSWORD": "bench"},
    )


def _rustic(path: str) -> Program:
    quiet = (path, "--no-progress", "--log-level=warn")
    return Program(
        name=RUSTIC,
        make=((*quiet, "init"), (*quiet, "backup", "{source}")),
        restore=(*quiet, "restore", "latest:{source}", "{target}"),
        check=(*quiet, "check", "--read-data"),
        environment={"RUSTIC_REPOSITORY": "{repository}/cold", "RUSTIC_PASSWORD": "bench"},
    )


_PEERS = {RESTIC: _restic, RUSTIC: _rustic}


def make(program: Program, source: Path, workdir: Path) -> dict[str, Path]:
    """Make the program's repository of `source`; its caches stay warm in a home of its own."""
    folder = Path(tempfile.mkdtemp(dir=workdir, prefix=f"{program.name}-"))
    names = ("repository", "home", "target")
    places = {"source": source} | {name: folder / name for name in names}
    places["repository"].mkdir()
    places["home"].mkdir()
    for argv in program.make:
        measure(program.command(argv), places)
    return places


def restored(program: Program, places: dict[str, Path], work: str, samples: Samples) -> None:
    """Measure a restore, see that it is whole, and throw it away."""
    os.sync()
    sample = measure(program.command(program.restore), places)
    samples.setdefault((work, program.name), []).append(sample)
    # restic gives the target itself no mode, and neither peer all folders their times.
    argv = ("rsync", "-aHAXni", "--checksum", "--delete", "--omit-dir-times")
    source, target = places["source"], places["target"]
    output = subprocess.check_output((*argv, f"{source}/", f"{target}/"), text=True)
    if found := [line for line in output.splitlines() if not line.endswith(" ./")]:
        sys.exit(f"{program.name} restored something else:\n{found[:20]}")
    shutil.rmtree(target)


def checked(program: Program, places: dict[str, Path], samples: Samples) -> None:
    os.sync()
    sample = measure(program.command(program.check), places)
    samples.setdefault((CHECK, program.name), []).append(sample)


def compare(options: argparse.Namespace, workdir: Path, samples: Samples) -> None:
    """Run all rounds of all programs."""
    data, small = options.data or workdir / "data", workdir / "small"
    generate = (sys.executable, HERE / "gen_dataset.py")
    subprocess.run((*generate, small, *SMALL_FILES), check=True)
    if not data.exists():
        subprocess.run((*generate, data), check=True)
    taking_part = [
        (program, make(program, data, workdir), make(program, small, workdir))
        for program in programs(full=options.full)
    ]
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for program, of_data, of_small in taking_part:
            restored(program, of_data, LARGE, samples)
            restored(program, of_small, SMALL, samples)
            checked(program, of_data, samples)


def million(workdir: Path, samples: Samples) -> None:
    """Make a repository of a million files; list it, check it and restore it once."""
    print("a million files", file=sys.stderr, flush=True)
    program, places = _whole(), synthetic(workdir)
    call = program.check[:3]
    listed = measure_first_line(Command(argv=(*call, "ls"), environment={}), places)
    samples[MILLION_LIST, WHOLE] = [listed]
    check = Command(argv=program.check, environment={})
    samples[MILLION_CHECK, WHOLE] = [measure(check, places)]
    restore = Command(argv=program.restore, environment={})
    samples[MILLION_RESTORE, WHOLE] = [measure(restore, places)]
    see_million(places["target"])


def synthetic(workdir: Path) -> dict[str, Path]:
    """Make a repository of a million files, and settings that open it."""
    repository = workdir / "million"
    places = {"repository": repository, "home": workdir, "target": workdir / "back"}
    cold = repository / "cold/bench/data/g1"
    cold.mkdir(parents=True)
    manifest = str(HERE.parent / "engine/Cargo.toml")
    cargo = ("cargo", "run", "--quiet", "--release", "--locked", "--manifest-path", manifest)
    numbers = (str(FILES), str(BLOBS_PER_FILE))
    subprocess.run((*cargo, "--example", "synthetic", "--", cold, *numbers), check=True)
    settings = {
        "COLD": repository / "cold",
        "HOT": repository / "hot",
        "STATE": repository / "state",
        "CUSTOMER": "bench",
        "RESOURCE": "data",
        "KEY": hashlib.sha256(b"unstoppable bench").hexdigest(),
    }
    env_file = repository / ".env"
    env_file.touch(0o600)
    env_file.write_text("".join(f"UNSTOPPABLE_{k}={v}\n" for k, v in settings.items()))
    return places


def see_million(folder: Path) -> None:
    """See that every file is there and holds what it must."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for number, path in enumerate(paths):
        expected = b"".join(struct.pack("<QQ", number, part) for part in range(BLOBS_PER_FILE))
        if path.name != f"{number:07}" or path.read_bytes() != expected:
            sys.exit(f"{path} is not file {number}")
    if len(paths) != FILES:
        sys.exit(f"{len(paths)} files were restored instead of {FILES}")


def arguments() -> argparse.Namespace:
    made = parser("Compare restores and checks.", rounds=3)
    made.add_argument("--data", type=Path, help="what is restored; default: 2 GiB, generated")
    return made.parse_args()


def main() -> int:
    options = arguments()
    samples: Samples = {}
    with tempfile.TemporaryDirectory(prefix="unstoppable-bench-", dir=options.workdir) as folder:
        compare(options, Path(folder), samples)
        million(Path(folder), samples)
        return report(samples, BARS)


if __name__ == "__main__":
    sys.exit(main())
