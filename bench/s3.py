"""Side by side: backups into a bucket and restores from it, by us and by our peers.

usage: python -m bench.s3 [--full] [--rounds N] [--workdir DIR] [--quick]

The server is versitygw on loopback, behind a proxy that adds 20 or 100 ms to each round trip.
What rustic takes for a folder shows how much of it the archiver takes that we share with it.
Every round runs every program once on a fresh bucket, so that they share the machine's weather;
the table shows medians.  --quick takes a sixteenth of the data, to try the benchmark itself.
A bar is missed when both wall and CPU seconds exceed it by 10 %; then the exit status is 1.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    measure,
    parser,
    peers,
    report,
)
from tests.servers.s3 import OPERATOR, REGION, S3Server

NEAR_MILLISECONDS, FAR_MILLISECONDS = 20, 100
FIRST = {0: "first backup 2 GiB, loopback"} | {
    delay: f"first backup 512 MiB, {delay} ms" for delay in (NEAR_MILLISECONDS, FAR_MILLISECONDS)
}
FLOOR = "first backup 512 MiB, into a folder"
UNCHANGED, RESTORE = "unchanged, 20 ms", "restore 512 MiB, 20 ms"
BARS: tuple[Bar, ...] = (
    Ratio(work=FIRST[0], subject=WHOLE, peers=(RESTIC, RUSTIC), share=1.0),
    Ratio(work=FIRST[20], subject=WHOLE, peers=(RESTIC, RUSTIC), share=1.0),
    Ratio(work=FIRST[100], subject=WHOLE, peers=(RESTIC, RUSTIC), share=1.0),
    Ratio(work=UNCHANGED, subject=WHOLE, peers=(RESTIC,), share=0.5),
    Ratio(work=RESTORE, subject=WHOLE, peers=(RESTIC,), share=0.8),
    Peak(name="memory of a restore", works=(RESTORE,), programs=(WHOLE,), most_mb=300),
    Peak(
        name="memory of a backup",
        works=(*FIRST.values(), UNCHANGED),
        programs=(WHOLE,),
        most_mb=250,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program works on a repository in a bucket of its own."""

    name: str
    create: tuple[str, ...]
    first: tuple[str, ...]
    again: tuple[str, ...]
    restore: tuple[str, ...]
    environment: Mapping[str, str]


def programs(data: str, *, full: bool) -> list[Program]:
    """Return who takes part; builds the peers that are not in the cache."""
    others = [_PEERS[name](path, data) for name, path in peers(full=full).items()]
    return [_whole(data), *others]


def _whole(data: str) -> Program:
    call = (UNSTOPPABLE, "--env-file", "{home}/.env")
    # The repository is created apart, as by the others: of next to nothing.
    backup = ("env", f"UNSTOPPABLE_SOURCE={data}", *call, "backup")
    return Program(
        name=WHOLE,
        create=(*call, "init", "{home}/small"),
        first=backup,
        again=backup,
        restore=(*call, "restore", "--to", "{home}/back"),
        environment={
            "UNSTOPPABLE_HOT": "{home}/hot",
            "UNSTOPPABLE_STATE": "{home}/state",
            "UNSTOPPABLE_COLD": "s3://{bucket}",
            "UNSTOPPABLE_S3_ENDPOINT": "{endpoint}",
            "UNSTOPPABLE_MAX_SHRINK": "100%",
            **OPERATOR.settings,
        },
    )


def _restic(path: str, data: str) -> Program:
    return Program(
        name=RESTIC,
        create=(path, "init", "--quiet"),
        first=(path, "backup", "--quiet", data),
        again=(path, "backup", "--quiet", data),
        restore=(path, "restore", "--quiet", "latest", "--target", "{home}/back"),
        environment={
            "RESTIC_REPOSITORY": "s3:{endpoint}/{bucket}/cold",
            "RESTIC_PASSWORD": "bench",
            "AWS_ACCESS_KEY_ID": OPERATOR.key_id,
            "AWS_SECRET_ACCESS_KEY": OPERATOR.secret,
            "AWS_DEFAULT_REGION": REGION,
        },
    )


def _rustic(path: str, data: str) -> Program:
    quiet = (path, "--no-progress", "--log-level=warn")
    options = {
        "bucket": "{bucket}",
        "root": "cold",
        "endpoint": "{endpoint}",
        "region": REGION,
        "access_key_id": OPERATOR.key_id,
        "secret_access_key": OPERATOR.secret,
    }
    return Program(
        name=RUSTIC,
        create=(*quiet, "init"),
        first=(*quiet, "backup", data),
        again=(*quiet, "backup", data),
        restore=(*quiet, "restore", "latest", "{home}/back"),
        environment={
            "RUSTIC_REPOSITORY": "opendal:s3",
            "RUSTIC_PASSWORD": "bench",
            **{f"OPENDAL_{name.upper()}": value for name, value in options.items()},
        },
    )


_PEERS = {RESTIC: _restic, RUSTIC: _rustic}


@contextmanager
def served(workdir: Path, delay: int) -> Iterator[tuple[S3Server, str]]:
    """Yield a server and the address it has so many milliseconds away."""
    folder = Path(tempfile.mkdtemp(dir=workdir))
    server = S3Server(folder)
    argv = (sys.executable, "-m", "bench.latency", str(server.port), str(delay))
    try:
        server.await_answer()
        if not delay:
            yield server, server.endpoint
            return
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proxy:
            said = proxy.stdout.readline() if proxy.stdout else b""
            yield server, f"http://127.0.0.1:{int(said)}"
            # It ends with its stdin, which leaving this block closes.
    finally:
        server.close()
        shutil.rmtree(folder)


def one_round(program: Program, workdir: Path, delay: int, samples: Samples) -> None:
    """Create a repository, back up twice and restore, and throw all away."""
    with (
        served(workdir, delay) as (server, endpoint),
        tempfile.TemporaryDirectory(dir=workdir) as home,
    ):
        (Path(home) / "small").mkdir()
        (Path(home) / "small/file").write_text("small\n")
        server.bucket("bench")
        places = {"home": home, "endpoint": endpoint, "bucket": "bench"}
        works = [("", program.create), (FIRST[delay], program.first)]
        if delay == NEAR_MILLISECONDS:
            works += [("", program.again), (UNCHANGED, program.again), (RESTORE, program.restore)]
        for work, argv in works:
            command = Command(argv=argv, environment=program.environment)
            sample = measure(command, places)
            if work:
                samples.setdefault((work, program.name), []).append(sample)


def floor(workdir: Path, data: str, samples: Samples) -> None:
    """Measure what the archiver takes alone, without a server."""
    with tempfile.TemporaryDirectory(dir=workdir) as home:
        rustic = _rustic(peers(full=True)[RUSTIC], data)
        environment = {"RUSTIC_REPOSITORY": "{home}/cold", "RUSTIC_PASSWORD": "bench"}
        places = {"home": home}
        measure(Command(argv=rustic.create, environment=environment), places)
        sample = measure(Command(argv=rustic.first, environment=environment), places)
        samples.setdefault((FLOOR, RUSTIC), []).append(sample)


def generate(folder: Path, mebibytes: int) -> str:
    """Return a data set of so many MiB, half of it text."""
    half = str(mebibytes // 2)
    sizes = ("--bin-mib", half, "--text-mib", half, "--text-files", str(mebibytes * 10))
    subprocess.run((sys.executable, HERE / "gen_dataset.py", folder, *sizes), check=True)
    return str(folder)


def run(options: argparse.Namespace, workdir: Path) -> int:
    """Generate the data, run all rounds, print both tables."""
    share = 16 if options.quick else 1
    data = {0: generate(workdir / "large", 2048 // share)}
    data |= dict.fromkeys(
        (NEAR_MILLISECONDS, FAR_MILLISECONDS), generate(workdir / "small", 512 // share)
    )
    samples: Samples = {}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        if options.full:
            floor(workdir, data[NEAR_MILLISECONDS], samples)
        for delay in FIRST:
            for program in programs(data[delay], full=options.full):
                one_round(program, workdir, delay, samples)
    return report(samples, BARS)


def main() -> int:
    made = parser("Compare backups into a bucket.", rounds=5)
    made.add_argument("--quick", action="store_true", help="with a sixteenth of the data")
    options = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="unstoppable-bench-", dir=options.workdir) as folder:
        return run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
