"""`unstoppable ls`."""

import os

import click

from unstoppable.cli import entries
from unstoppable.cli.command import Session, Speaking, at_option, resource_argument
from unstoppable.cli.opening import choose_snapshot, open_to_read
from unstoppable.cli.settings import load
from unstoppable.cli.watch import interruptible


@click.command(cls=Speaking)
@resource_argument
@at_option
@click.option("--path", default="", metavar="P", help="Only this folder or file of the source.")
@click.pass_obj
def ls(session: Session, *, asked: str | None, at: str, path: str) -> int:
    """List what a snapshot holds.

    One line for each entry: mode, owner, bytes, time of change, path; with --json one object.
    A folder comes before what lies in it, and its files before its folders.

    Example:
      unstoppable ls --at 2026-11-24 --path www

    Exit codes:
      0 listed    1 failed    2 wrong usage    3 partial: something could not be read
      10 no repository    12 wrong key or broken pin    130 cancelled
    """
    configuration = load(session.env_file, asked)
    with interruptible(configuration.resource):
        repository = open_to_read(configuration)
        snapshot = choose_snapshot(repository, at, configuration.resource)
        with repository.entries(snapshot.id, path=os.fsencode(path)) as found:
            return entries.tell(session, found)
