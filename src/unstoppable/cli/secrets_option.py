"""`--secrets-fd` and `--signs-fd`: pipes of the program that started this one; not for people."""

import os
from contextlib import suppress

import click

from unstoppable.cli.command import Session
from unstoppable.engine import forbid_dumps
from unstoppable.secrets import pipe


def _take(ctx: click.Context, _parameter: click.Parameter, descriptor: int | None) -> None:
    if descriptor is None or ctx.resilient_parsing:
        return
    forbid_dumps()
    ctx.ensure_object(Session).secrets = pipe.take(descriptor)


def _give_signs(ctx: click.Context, _parameter: click.Parameter, descriptor: int | None) -> None:
    if descriptor is None or ctx.resilient_parsing:
        return

    def sign() -> None:
        # Nobody reads it any more, or it is full of signs that nobody has read yet.
        with suppress(BrokenPipeError, BlockingIOError):
            os.write(descriptor, b".")

    ctx.ensure_object(Session).sign = sign


secrets_option = click.option(
    "--secrets-fd",
    type=int,
    hidden=True,
    expose_value=False,
    callback=_take,
    help="Take secrets from this descriptor, the reading end of a pipe.",
)
"""Taken while the arguments are read, before any setting is."""
signs_option = click.option(
    "--signs-fd",
    type=int,
    hidden=True,
    expose_value=False,
    callback=_give_signs,
    help="Give signs of life to this descriptor, the writing end of a pipe.",
)
