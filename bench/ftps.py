"""Side by side: files of an FTPS server, fetched by us and by our peers.

usage: python -m bench.ftps [--full] [--rounds N] [--workdir DIR] [--quick] [--only WORD]

The server is vsftpd, which asks for resumed TLS sessions; on loopback, and behind a line of 20 ms.
All speak TLS 1.2, and we TLS 1.3 besides.  We store a snapshot; a peer copies into a folder, which
restic backs up where the snapshot is what counts.  Every round runs every program once; the table
shows medians.  --quick takes a sixteenth of the files, to try the benchmark itself; --full has the
newest rclone, which opens 100 files a second, and lftp fetch all 20,000 too: minutes for each.
A bar is missed when both wall and CPU seconds exceed it by 10 %, or wall seconds alone where a line
is waited for; then the exit status is 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.line import leave_network, line
from bench.listing import CONTENTS, Listing
from bench.measure import (
    HERE,
    RESTIC,
    Bar,
    Command,
    Peak,
    Ratio,
    Samples,
    Waits,
    measure,
    parser,
    report,
)
from tests.servers.ftps import Vsftpd
from tests.servers.ftps_server import FtpsServer, Options

MILLISECONDS, CONNECTIONS, USUAL = 20, (8, 16, 32), 8
ENGINE, ENGINE_13, SOURCE = "engine call", "engine call, TLS 1.3", "source alone"
SOURCE_13 = "source alone, TLS 1.3"
RCLONE, OLD_RCLONE, LFTP, CURL = "rclone 1.75", "rclone 1.60", "lftp", "curl"
AND_RESTIC = {name: f"{name}, then restic" for name in (OLD_RCLONE, RCLONE, LFTP)}
MANY = "20,000 files, loopback"
SOME = {many: f"2,000 files, 20 ms, {many} connections" for many in CONNECTIONS}
UNCHANGED, LARGE = "20,000 files unchanged, 20 ms", "1 GiB, one stream"
FILES, LINKS, FLAT = (f"list 1,000,000 {content}" for content in CONTENTS)
BARS: tuple[Bar, ...] = (
    Ratio(work=MANY, subject=ENGINE, peers=tuple(AND_RESTIC.values()), share=0.7),
    Waits(
        name=SOME[USUAL],
        works=(SOME[USUAL],),
        subject=ENGINE,
        peers=(OLD_RCLONE, RCLONE, LFTP),
        share=0.67,
    ),
    Waits(
        name="2,000 files, 20 ms, each at its best",
        works=tuple(SOME.values()),
        subject=ENGINE,
        peers=(OLD_RCLONE, RCLONE, LFTP),
        share=0.56,
    ),
    Waits(
        name=UNCHANGED, works=(UNCHANGED,), subject=ENGINE, peers=(OLD_RCLONE, RCLONE), share=0.3
    ),
    Ratio(work=LARGE, subject=SOURCE, peers=(LFTP, CURL, OLD_RCLONE, RCLONE), share=1.11),
    Peak(
        name="1,000,000 in 1,000 folders, peak memory",
        works=(FILES, LINKS),
        programs=(SOURCE, ENGINE),
        most_mb=400,
    ),
)


class Server(Vsftpd):
    """One that does not log each command, as Debian configures it."""

    def _configure(self) -> None:
        super()._configure()
        with (self.folder / "vsftpd.conf").open("a") as settings:
            settings.write("log_ftp_protocol=NO\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program fetches what a folder of the server holds."""

    name: str
    run: Command
    prepare: tuple[Command, ...] = ()
    """Not measured."""
    copies: Path | None = None
    """What has to lie in `{copy}` then, if it copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Programs that others wrote, and the one of ours that stores nothing."""

    rclones: Mapping[str, str]
    lftp: str
    curl: str
    restic: str
    source: str
    line: str


def peers() -> Peers:
    """Return where they are; builds those that are not in the cache."""
    found = {name: shutil.which(name) for name in ("rclone", "lftp", "curl")}
    if missing := [name for name, path in found.items() if not path]:
        sys.exit(f"error: {' and '.join(missing)} missing\nhint: apt-get install rclone lftp curl")
    old, lftp, curl = (str(path) for path in found.values())
    if "rclone v1.60." not in subprocess.check_output((old, "version"), text=True):
        sys.exit(f"error: {old} is not rclone 1.60\nhint: it is the one of Debian 12 and 13")
    names = (HERE / "peers.sh", "rclone", RESTIC)
    new, restic = subprocess.check_output(names, text=True).split()
    rclones = {OLD_RCLONE: old, RCLONE: new}
    source, line = build("ftps_source", "line")
    return Peers(rclones=rclones, lftp=lftp, curl=curl, restic=restic, source=source, line=line)


def build(*examples: str) -> list[str]:
    """Return the paths of programs of engine/core/examples."""
    manifest = str(HERE.parent / "engine/Cargo.toml")
    target = os.environ.get("CARGO_TARGET_DIR", str(HERE.parent / "engine/target"))
    cargo = (str(HERE.parent / "packaging/cargo"), "build", "--quiet", "--release", "--locked")
    wanted = (f"--example={name}" for name in examples)
    environment = {**os.environ, "CARGO_TARGET_DIR": target}
    subprocess.run((*cargo, "--manifest-path", manifest, *wanted), check=True, env=environment)
    return [f"{target}/release/examples/{name}" for name in examples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server over a folder, and how each program is told to fetch from it."""

    server: FtpsServer | Listing
    root: Path
    peers: Peers
    source_name: str = SOURCE
    engine_name: str = ENGINE

    @property
    def _told(self) -> dict[str, str]:
        return {
            "FTPS_PORT": str(self.server.port),
            "FTPS_USER": self.server.user,
            "FTPS_PASSWORD": self.server.password,
            "FTPS_AUTHORITIES": str(self.server.ca_file),
        }

    def engine(self, path: str, connections: int, *, again: bool = False) -> Program:
        """Back up with the engine; `again` after one that was not measured."""
        create = (sys.executable, str(HERE / "engine_call.py"), "create", "{repository}")
        call = (sys.executable, "-m", "bench.ftps_call", "{repository}", path, str(connections))
        prepare = [Command(argv=create, environment={})]
        if again:
            prepare.append(Command(argv=call, environment=self._told))
        argv = (*call, "unchanged") if again else call
        run = Command(argv=argv, environment=self._told)
        return Program(name=self.engine_name, prepare=tuple(prepare), run=run)

    def source(self, what: str, path: str) -> Program:
        """Fetch with our source, and throw away what comes."""
        server = self.server
        told = (str(server.port), server.user, str(server.ca_file), path)
        command = Command(argv=(self.peers.source, what, *told), environment=self._told)
        return Program(name=self.source_name, run=command)

    def rclone(self, name: str, *arguments: str) -> Command:
        """Run an rclone; the server is called `ftp:`."""
        path, server = self.peers.rclones[name], self.server
        hidden = subprocess.check_output((path, "obscure", server.password), text=True)
        settings = {
            "TYPE": "ftp",
            "HOST": server.host,
            "PORT": str(server.port),
            "USER": server.user,
            "PASS": hidden.strip(),
            "EXPLICIT_TLS": "true",
        }
        environment = {f"RCLONE_CONFIG_FTP_{key}": value for key, value in settings.items()}
        environment |= {"SSL_CERT_FILE": str(server.ca_file), "RCLONE_CONFIG": "{home}/none"}
        return Command(argv=(path, *arguments), environment=environment)

    def lftp(self, *commands: str) -> Command:
        """Run commands of lftp."""
        server = self.server
        secure = ("ftp:ssl-force yes", "ftp:ssl-protect-data yes", f"ssl:ca-file {server.ca_file}")
        said = [f"set {setting}" for setting in ("cmd:fail-exit yes", *secure)]
        where = f"ftp://{server.host}:{server.port}"
        said += [f"open --env-password -u {server.user} {where}", *commands]
        environment = {"LFTP_PASSWORD": server.password}
        return Command(argv=(self.peers.lftp, "-c", "; ".join(said)), environment=environment)

    def copying(self, path: str, connections: int) -> Iterator[Program]:
        """Copy a folder with each of the peers."""
        most = str(connections)
        for name in self.peers.rclones:
            flags = ("--transfers", most, "--checkers", most)
            run = self.rclone(name, "copy", *flags, f"ftp:{path}", "{copy}")
            yield Program(name=name, run=run, copies=self._behind(path))
        run = self.lftp(f"mirror --parallel={most} {path} {{copy}}")
        yield Program(name=LFTP, run=run, copies=self._behind(path))

    def and_restic(self, program: Program) -> Program:
        """Back up the copy too."""
        restic = {"RESTIC_REPOSITORY": "{repository}/cold", "RESTIC_PASSWORD": "bench"}
        run, path = program.run, self.peers.restic
        then = f'"$@" && exec {path} backup --quiet {{copy}}'
        both = Command(
            argv=("sh", "-c", then, "sh", *run.argv), environment={**run.environment, **restic}
        )
        create = Command(argv=(path, "init", "--quiet"), environment=restic)
        name = AND_RESTIC[program.name]
        return Program(name=name, prepare=(create,), run=both, copies=program.copies)

    def checking(self, path: str) -> Iterator[Program]:
        """Compare a folder with what it holds, by names and sizes: that is all rclone is told."""
        for name in self.peers.rclones:
            flags = ("--one-way", "--checkers", str(USUAL))
            run = self.rclone(name, "check", *flags, f"ftp:{path}", str(self._behind(path)))
            yield Program(name=name, run=run)

    def discarding(self, path: str, file: str) -> Iterator[Program]:
        """Fetch one file and throw it away."""
        yield self.source("read", path)
        for name in self.peers.rclones:
            printing = self.rclone(name, "cat", f"ftp:{path}/{file}")
            yield Program(name=name, run=_into_nothing(printing))
        yield Program(name=LFTP, run=_into_nothing(self.lftp(f"cat {path}/{file}")))
        server = self.server
        who = ("--user", f"{server.user}:{server.password}", "--cacert", str(server.ca_file))
        url = f"ftp://{server.host}:{server.port}{path}/{file}"
        argv = (self.peers.curl, "--silent", "--show-error", "--ssl-reqd", *who, url)
        yield Program(name=CURL, run=_into_nothing(Command(argv=argv, environment={})))

    def _behind(self, path: str) -> Path:
        """Return the folder that the server shows as `path`."""
        return self.root / path.strip("/")


def _into_nothing(command: Command) -> Command:
    argv = ("sh", "-c", 'exec "$@" >/dev/null', "sh", *command.argv)
    return Command(argv=argv, environment=command.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """Where it is done, and what was measured."""

    workdir: Path
    word: str
    """Only works with this in their name are done."""
    samples: Samples = field(default_factory=dict)

    def one(self, work: str, program: Program, near: tuple[str, ...] = ()) -> None:
        """Run a program once, with nothing there before; `near` is put before it."""
        if self.word not in work:
            return
        print(f"  {work}: {program.name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=self.workdir) as folder:
            places = {name: Path(folder) / name for name in ("repository", "home", "copy")}
            for place in places.values():
                place.mkdir()
            for command in program.prepare:
                measure(command, places)
            run = Command(argv=(*near, *program.run.argv), environment=program.run.environment)
            sample = measure(run, places)
            if program.copies and size(program.copies) != size(places["copy"]):
                sys.exit(f"{program.name} copied {size(places['copy'])} of {size(program.copies)}")
        self.samples.setdefault((work, program.name), []).append(sample)


def size(folder: Path) -> tuple[int, int]:
    """Return how many files a folder holds, and how many bytes in them."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def generate(folder: Path, files: int) -> None:
    """Make so many files of 4 KiB, forty in a folder."""
    for number in range(files):
        path = folder / f"{number // 40:04}" / f"{number % 40:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096))
        os.utime(path, (1_700_000_000, 1_700_000_000))


def on_loopback(old: Site, new: Site, measuring: Measuring, *, full: bool) -> None:
    """Fetch many files, and a large one."""
    for site in (old, new):
        measuring.one(MANY, site.engine("/many", USUAL))
    for program in old.copying("/many", USUAL):
        if full or program.name == OLD_RCLONE:
            measuring.one(MANY, old.and_restic(program))
    for program in (*old.discarding("/large", "file"), new.source("read", "/large")):
        measuring.one(LARGE, program)


def far_away(old: Site, new: Site, measuring: Measuring) -> None:
    """Fetch some files, and look at many that are unchanged."""
    with line(MILLISECONDS, old.peers.line) as near:
        for connections, work in SOME.items():
            ours = (site.engine("/some", connections) for site in (old, new))
            for program in (*ours, *old.copying("/some", connections)):
                measuring.one(work, program, near)
        again = (site.engine("/many", USUAL, again=True) for site in (old, new))
        for program in (*again, *old.checking("/many")):
            measuring.one(UNCHANGED, program, near)


def listings(taking_part: Peers, measuring: Measuring, entries: int) -> None:
    """List a million files that nobody reads, and back up a million links, which are not read."""
    for content, work in zip(CONTENTS, (FILES, LINKS, FLAT), strict=True):
        folder = Path(tempfile.mkdtemp(dir=measuring.workdir))
        with Listing.serving(folder, content, entries) as server:
            site = Site(server=server, root=folder, peers=taking_part)
            program = site.engine("/", USUAL) if work == LINKS else site.source("list", "/")
            measuring.one(work, program)


def run(options: argparse.Namespace, workdir: Path) -> int:
    """Generate the files, run all rounds, print both tables."""
    taking_part = peers()
    leave_network()
    share = 16 if options.quick else 1
    served = workdir / "served"
    generate(served / "many", 20_000 // share)
    generate(served / "some", 2_000 // share)
    (served / "large").mkdir()
    with (served / "large/file").open("wb") as large:
        for _ in range(1024 // share):
            large.write(os.urandom(1 << 20))
    servers = []
    for tls in ("1.2", "1.3"):
        (workdir / tls).mkdir()
        servers.append(Server(workdir / tls, served, Options(tls=(tls,))))
    old, new = (
        Site(server=server, root=served, peers=taking_part, source_name=source, engine_name=engine)
        for server, source, engine in zip(
            servers, (SOURCE, SOURCE_13), (ENGINE, ENGINE_13), strict=True
        )
    )
    measuring = Measuring(workdir=workdir, word=options.only)
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            on_loopback(old, new, measuring, full=options.full or options.quick)
            far_away(old, new, measuring)
            listings(taking_part, measuring, 1_000_000 // share)
    finally:
        for server in servers:
            server.stop()
    return report(measuring.samples, BARS)


def main() -> int:
    made = parser("Compare what is fetched from an FTPS server.", rounds=3)
    made.add_argument("--quick", action="store_true", help="with a sixteenth of the files")
    made.add_argument("--only", default="", metavar="WORD", help="works with this in their name")
    options = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="unstoppable-bench-", dir=options.workdir) as folder:
        # The server reads as somebody else.
        Path(folder).chmod(0o755)
        return run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
