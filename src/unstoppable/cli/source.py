"""`unstoppable source`."""

import re
from typing import TYPE_CHECKING

import click

from unstoppable.cli import output
from unstoppable.cli.command import Session, Speaking
from unstoppable.cli.configuration import Configuration
from unstoppable.cli.password import with_password
from unstoppable.cli.place import Place
from unstoppable.cli.settings import choose, read_all, usable
from unstoppable.domain.ftps import FtpsFolder, FtpsSource, pin_text
from unstoppable.domain.outcome import ExitCode
from unstoppable.domain.source_errors import SourceFaulty, SourceIsNoServer
from unstoppable.domain.text import count, printable

if TYPE_CHECKING:
    from unstoppable.runner.server_check import ServerCheck

_place_argument = click.argument("asked", metavar="[URL|RESOURCE]", required=False, type=Place())
_RESOURCE = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")


@click.group()
def source() -> None:
    """Look at the server that the source is on."""


@source.command(cls=Speaking)
@_place_argument
@click.pass_obj
def check(session: Session, *, asked: object) -> int:
    """Look at a server as a backup would; changes nothing.

    Logs in, lists up to 50 folders, reads three files, and sees how many connections the server
    bears. Each problem is one sentence, with the server's own words. Without URL it is the source
    of the settings; the password is theirs, or asked for.

    Example:
      unstoppable source check
      unstoppable source check ftps://alice@ftp.example.com/www
      unstoppable source check acme/www

    Exit codes:
      0 a backup can be made    1 some of it, or none    2 wrong usage, or the source is a folder
      130 cancelled
    """
    from unstoppable.runner.server_check import check_server  # noqa: PLC0415 - help is quick

    configuration = with_password(_asked_for(session, asked))
    server = _server(configuration)
    found = check_server(server, configuration.resource)
    _tell(session, server, found)
    if found.problems:
        problems = count(len(found.problems), "problem")
        output.complain(SourceFaulty(problems=problems, source=server))
        return ExitCode.FAILED
    return ExitCode.SUCCEEDED


@source.command(cls=Speaking)
@_place_argument
@click.pass_obj
def pin(session: Session, *, asked: object) -> int:
    """Print the pin of a server: its public key, shortened.

    Nobody logs in. What is printed is what somebody at that address shows: compare it with what
    the server's administrator says before you put it into UNSTOPPABLE_SOURCE_PIN.

    Example:
      unstoppable source pin ftps://alice@ftp.example.com/

    Exit codes:
      0 printed    1 the server cannot be reached    2 wrong usage, or the source is a folder
    """
    from unstoppable.engine import seen_pin  # noqa: PLC0415 - help is quick

    configuration = _asked_for(session, asked)
    server = _server(configuration)
    found = pin_text(seen_pin(server, configuration.resource))
    if session.is_json:
        output.document({"source": str(server), "pin": found})
    else:
        output.data(found)
    return ExitCode.SUCCEEDED


def _tell(session: Session, server: FtpsSource, found: "ServerCheck") -> None:
    facts = found.facts
    rows = [
        ("server", printable(facts.greeting)),
        ("encryption", f"{facts.tls_version}, {_trust(server)}"),
        ("pin", pin_text(facts.pin)),
        ("listing", "MLSD" if "MLST" in facts.features else "LIST"),
        ("sessions", f"{facts.resumed} of {count(facts.transfers, 'transfer')} resumed"),
        ("connections", f"{found.connections} of {server.access.connections}"),
        ("found", _amounts(found.listed, found.folders)),
        ("read", count(found.files_read, "file")),
    ]
    if session.is_json:
        more = {"notes": found.notes, "problems": found.problems}
        output.document({"source": str(server), **dict(rows), **more})
        return
    for name, value in rows:
        output.data(f"{name:<12} {value}")
    for note in found.notes:
        output.say(f"note: {note}")
    for problem in found.problems:
        output.data(f"problem: {problem}")


def _asked_for(session: Session, asked: object) -> Configuration:
    """Return the settings of a resource, or with the server that was asked for.

    Of many customers a server that is theirs has what holds for all of them. Raises
    SourceIsNoServer.
    """
    found = read_all(session.env_file, may_be_missing=True)
    if isinstance(asked, FtpsFolder):
        reading = choose(found, None) if found.customers is None else found.common
        return usable(reading).with_source(asked)
    if asked is not None and not _RESOURCE.fullmatch(str(asked)):
        raise SourceIsNoServer(source=asked)
    return usable(choose(found, None if asked is None else str(asked)))


def _server(configuration: Configuration) -> FtpsSource:
    source = configuration.source
    if not isinstance(source, FtpsSource):
        raise SourceIsNoServer(source=source)
    return source


def _trust(server: FtpsSource) -> str:
    if server.access.pin is not None:
        return "believed by its pin"
    if server.access.ca_file is not None:
        return f"believed by the authorities in {printable(server.access.ca_file)}"
    return "believed by this machine's authorities"


def _amounts(listed: dict[str, int], folders: int) -> str:
    kinds = ", ".join(
        count(listed[kind], word)
        for kind, word in (
            ("file", "file"),
            ("folder", "folder"),
            ("symlink", "link"),
            ("other", "other thing"),
        )
        if listed.get(kind)
    )
    return f"{kinds or 'nothing'} in {count(folders, 'folder')}"
