"""A customer's files are read by a group, edited by people, and written by several at once."""

import os

import pytest

from tests.stories.test_customers_adding import machine
from tests.stories.test_customers_growing import acme, file, grow, operator, runner
from unstoppable.cli import customer, customer_making, customer_resource
from unstoppable.cli.main import run
from unstoppable.cli.settings import read_draft

__all__ = ["acme", "machine", "operator", "runner"]


def test_a_group_that_reads_a_customers_files_still_reads_them_when_a_resource_comes(acme):
    pins = file(acme).with_suffix(".pins.json")
    for path in (file(acme), pins):
        os.chown(path, -1, 1)
        path.chmod(0o640)

    acme.done(*grow(acme))

    for path in (file(acme), pins):
        assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (1, 0o640), path
    assert (file(acme).parent / "acme/shop.key").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def inside(acme, monkeypatch):
    """The same machine, where commands run in this process too."""
    for name, value in acme.environment().items():
        monkeypatch.setenv(name, value)
    return acme


def after(monkeypatch, module, name, happens):
    """Have something happen once, just after a function returned for the first time."""
    called, todo = getattr(module, name), [happens]

    def hooked(*args, **more):
        found = called(*args, **more)
        while todo:
            todo.pop()()
        return found

    monkeypatch.setattr(module, name, hooked)


def test_of_two_who_add_one_customer_at_once_the_second_is_refused(inside, monkeypatch, capsys):
    own, tar = file(inside).parent, inside.root / "blue.tar"
    argv = ("customer", "add", "blue", f"--resource=mail={inside.data}/shop")
    after(monkeypatch, customer_making, "make", lambda: inside.done(*argv))

    code = run(["customer", "add", "blue", f"--resource=www={inside.data}/www", f"--bundle={tar}"])

    assert code == 2
    assert f"error: there is a customer blue already: {own}/blue.toml" in capsys.readouterr().err
    assert "[resources.mail]" in (own / "blue.toml").read_text()
    assert not tar.exists()
    inside.done("customer", "add-resource", "blue", f"www={inside.data}/www")
    inside.done("backup", "blue/www")
    inside.done("backup", "blue/mail")


def test_an_import_takes_nobodys_place_who_came_meanwhile(inside, monkeypatch, capsys):
    path, tar = file(inside).with_name("blue.toml"), inside.root / "blue.tar"
    add = ("customer", "add", "blue", f"--resource=www={inside.data}/www")
    inside.done(*add, f"--bundle={tar}")
    text = path.read_text() + "# by hand\n"
    path.unlink()
    after(monkeypatch, customer, "read_draft", lambda: path.write_text(text))

    code = run(["customer", "import", str(tar)])

    assert code == 2
    assert f"error: there is a customer blue already: {path}" in capsys.readouterr().err
    assert path.read_text() == text


def test_a_link_that_leads_nowhere_is_a_customers_file(acme):
    link = file(acme).with_name("blue.toml")
    link.symlink_to("nowhere")

    told = acme.run("customer", "add", "blue", f"--resource=www={acme.data}/www")

    assert told.returncode == 2
    assert f"there is a customer blue already: {link}" in told.stderr
    assert link.is_symlink()


def test_an_edit_while_a_resource_is_added_stays(inside, monkeypatch):
    def edit():
        file(inside).write_text(f"# edited meanwhile\n{file(inside).read_text()}")

    def second_draft():
        after(monkeypatch, customer_resource, "read_draft", edit)

    after(monkeypatch, customer_resource, "read_draft", second_draft)

    assert run(list(grow(inside))) == 0

    text = file(inside).read_text()
    assert text.startswith("# edited meanwhile\n")
    assert text.count("[resources.shop]") == 1


def test_a_file_that_is_edited_again_and_again_is_left_to_who_edits_it(inside, monkeypatch, capsys):
    called = read_draft

    def hooked(*args, **more):
        found = called(*args, **more)
        file(inside).write_text(f"{file(inside).read_text()}# edited\n")
        return found

    file(inside).write_text(f"{file(inside).read_text()}\n")
    monkeypatch.setattr(customer_resource, "read_draft", hooked)

    code = run(list(grow(inside)))

    assert code == 1
    told = capsys.readouterr().err
    assert f"error: {file(inside)} is changed by somebody else again and again" in told
    assert "[resources.shop]" not in file(inside).read_text()
    monkeypatch.undo()
    inside.done(*grow(inside))


def test_who_is_removed_while_a_resource_is_added_stays_removed(inside, monkeypatch, capsys):
    def remove():
        file(inside).rename(file(inside).with_name("acme.toml.removed-x"))

    after(monkeypatch, customer_resource, "read_draft", remove)

    code = run(list(grow(inside)))

    assert code == 2
    assert "error: there is no customer acme in " in capsys.readouterr().err
    assert not file(inside).exists()


def test_nobody_is_removed_while_somebody_writes_the_file(inside, monkeypatch):
    told = []
    after(
        monkeypatch,
        customer_making,
        "real",
        lambda: told.append(inside.run("customer", "remove", "acme")),
    )

    assert run(list(grow(inside))) == 0

    assert told[0].returncode == 11, told[0].stderr
    assert "[resources.shop]" in file(inside).read_text()
    inside.done("customer", "remove", "acme")
    assert not file(inside).exists()
