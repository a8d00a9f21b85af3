"""Hints are commands that work as they stand, where there are many customers too."""

import re
import shlex
from contextlib import nullcontext, suppress

import click
import pytest

from tests.unit.domain.test_errors import KINDS, facts
from unstoppable.cli import hints
from unstoppable.cli.main import unstoppable
from unstoppable.domain import source_errors, storage_errors
from unstoppable.domain.errors import PinsMissing, RepositoryDamaged
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outlook_errors import ResourceInvalid

WWW = ResourceName(customer="acme", resource="www")
NO_CUSTOMERS = {
    "CustomersGone",
    "EnvFileAppeared",
    "EnvFileMissing",
    "NotProved",
    "SettingMissing",
}
"""They are said of one directory alone, or before it is known who there is."""


def commands(group: click.Group = unstoppable, *words: str) -> dict[str, click.Command]:
    """Return every command by what is typed for it."""
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, *words, name)
        else:
            found[" ".join((*words, name))] = command
    return found


def takes_resource(command: click.Command) -> bool:
    """Return whether a resource is the first thing that may be named after the command."""
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    return bool(arguments) and arguments[0].metavar in {"[RESOURCE]", "[URL|RESOURCE]"}


@pytest.fixture
def many():
    hints.are_many(is_so=True)
    hints.about(WWW)
    yield
    hints.are_many(is_so=False)


def test_the_commands_that_take_a_resource_are_known():
    assert {name for name, one in commands().items() if takes_resource(one)} == set(
        hints.TAKE_RESOURCE
    )


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run `unstoppable backup`", "run `unstoppable backup acme/www`"),
        ("`unstoppable key sheet --confirm`", "`unstoppable key sheet acme/www --confirm`"),
        ("`unstoppable check --read-data all` x", "`unstoppable check acme/www --read-data all` x"),
        ("`unstoppable backup blue/mail`", "`unstoppable backup blue/mail`"),
        ("`unstoppable restore --to /tmp/x`", "`unstoppable restore acme/www --to /tmp/x`"),
        ("`unstoppable schedule install`", "`unstoppable schedule install`"),
        ("`unstoppable schedule show`", "`unstoppable schedule show acme/www`"),
        ("unstoppable backup", "unstoppable backup"),
        ("`unstoppable backups`", "`unstoppable backups`"),
    ],
)
def test_a_command_names_the_resource_where_there_are_many(text, told):
    assert hints.said(text) == told


def test_nothing_is_named_where_there_is_one_resource():
    hints.are_many(is_so=False)
    hints.about(WWW)

    assert hints.said("`unstoppable backup`") == "`unstoppable backup`"


@pytest.mark.usefixtures("many")
def test_the_resource_is_the_one_that_the_error_is_about():
    error = RepositoryDamaged(resource="blue/mail", cause="x")

    assert "`unstoppable check blue/mail --read-data all`" in hints.of(error)


@pytest.mark.usefixtures("many")
def test_who_lost_pins_is_not_sent_to_a_command_that_knows_no_customers():
    error = PinsMissing(path="/etc/unstoppable/customers/acme.pins.json", resource=WWW)

    assert "init" not in hints.of(error)
    assert "the bundle" in hints.of(error)


@pytest.mark.usefixtures("many")
def test_nobody_is_told_to_leave_the_resource_out_where_one_has_to_be_named():
    assert hints.of(ResourceInvalid(name="acme")) == (
        "write it as customer/resource, such as acme/www"
    )


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - NO_CUSTOMERS))
def test_every_hint_is_a_command_that_can_be_typed(kind):
    error = KINDS[kind](**(dict.fromkeys(facts(KINDS[kind]), "x") | {"resource": WWW}))

    for command in re.findall(r"`unstoppable ([^`]*)`", hints.of(error)):
        assert_it_parses(command)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    "text", [*source_errors._WAYS_OUT.values(), *storage_errors._WAYS_OUT.values()]
)
def test_every_way_out_is_a_command_that_can_be_typed(text):
    for command in re.findall(r"`unstoppable ([^`]*)`", hints.said(text)):
        assert_it_parses(command)


def assert_it_parses(command: str) -> None:
    """See that a command exists, takes these arguments, and names its resource where it may."""
    words = shlex.split(command.replace("NAME=DIR", "www=/srv/www"))
    known = commands()
    length = next(n for n in (2, 1) if " ".join(words[:n]) in known)
    found, rest = known[" ".join(words[:length])], words[length:]

    # What a command calls its help is kept by click, and said by the first one who asks.
    parent = unstoppable.context_class(unstoppable, **unstoppable.context_settings)
    with suppress(click.exceptions.Exit) if rest == ["--help"] else nullcontext():
        found.make_context(words[length - 1], list(rest), parent=parent, resilient_parsing=False)

    assert not takes_resource(found) or str(WWW) in rest, command
    assert words[0] != "init", "it is for one directory"
