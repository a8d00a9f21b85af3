"""`unstoppable dump`."""

import os
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from unstoppable.cli import entries, output
from unstoppable.cli.command import Session, Verbatim, at_option, resource_argument
from unstoppable.cli.opening import choose_snapshot, open_to_read
from unstoppable.cli.settings import load
from unstoppable.cli.watch import interruptible
from unstoppable.domain.errors import NotForTerminals, OutputFailed
from unstoppable.domain.outlook_errors import FileIsThere
from unstoppable.domain.text import is_plain
from unstoppable.runner.files import write_new


@click.command(cls=Verbatim)
@click.argument("path")
@resource_argument
@at_option
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help="A new file instead.")
@click.pass_obj
def dump(session: Session, *, path: str, asked: str | None, at: str, to: Path | None) -> int:
    """Write a file of a snapshot to stdout, or a folder as a tar archive.

    Every byte is verified before it is written.  An archive names what lies in the folder from
    there on, tells owners by number, and holds no devices, pipes, sockets or special mode bits
    (but the sticky one of folders).
    When something is damaged the exit code is 1 and the output ends before the damage.

    Example:
      unstoppable dump www/index.html
      unstoppable dump www --at 2026-11-24 | tar -xC /tmp/back

    Exit codes:
      0 written    1 failed    2 wrong usage, or FILE is there
      3 partial: something is not in the archive    10 no repository
      12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, asked)
    with interruptible(configuration.resource):
        repository = open_to_read(configuration)
        snapshot = choose_snapshot(repository, at, configuration.resource)
        with repository.dump(snapshot.id, os.fsencode(path)) as found:
            if to is not None:
                _write_new(to, found)
            else:
                output.stream(_harmless(found) if sys.stdout.isatty() else found)
            return entries.missing(found)


def _write_new(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file that was not there, for this user alone, whole or not at all."""
    try:
        write_new(path, chunks)
    except FileExistsError as error:
        raise FileIsThere(path=path) from error
    except OSError as error:
        raise OutputFailed(cause=f"{path}: {error.strerror}") from error


def _harmless(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on text; raises NotForTerminals for anything that a terminal would obey."""
    decoder = getincrementaldecoder("utf-8")("surrogateescape")
    for chunk in chunks:
        if not is_plain(decoder.decode(chunk)):
            raise NotForTerminals
        yield chunk
