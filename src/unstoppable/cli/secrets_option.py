"""`--secrets-fd`: secrets from the program that started this one; not for people."""

import click

from unstoppable.cli.command import Session
from unstoppable.engine import forbid_dumps
from unstoppable.secrets import pipe


def _take(ctx: click.Context, _parameter: click.Parameter, descriptor: int | None) -> None:
    if descriptor is None or ctx.resilient_parsing:
        return
    forbid_dumps()
    ctx.ensure_object(Session).secrets = pipe.take(descriptor)


secrets_option = click.option(
    "--secrets-fd",
    type=int,
    hidden=True,
    expose_value=False,
    callback=_take,
    help="Take secrets from this descriptor, the reading end of a pipe.",
)
"""Taken while the arguments are read, before any setting is."""
