"""A secret that can be read and is none: `secrets check` says so, and does not show it."""

import pytest

from tests.stories.hoster import Hoster

NEVER = "0 0 29 2 *"


def say(hoster: Hoster, **keys: str) -> None:
    """Have acme's file refer to secrets with these contents."""
    file = hoster.customers / "acme.toml"
    table, top = "", ""
    for name, content in keys.items():
        path = hoster.machine.root / f"keys/{name}"
        path.write_text(content)
        path.chmod(0o600)
        line = f'{name} = "file:{path}"\n'
        table, top = (table + line, top) if name == "password" else (table, top + line)
    text = file.read_text().replace('source = "', f'{table}source = "', 1)
    file.write_text('cold = "s3"\n' * bool(top) + top + text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("5ecret" * 10, "it has 60 characters"),
        ("x5ecret1" * 16, "not every character is one"),
        ("", "it has 0 characters"),
        ("ab" * 64, "repeats"),
    ],
)
def test_a_key_that_is_none_is_told(hoster: Hoster, content: str, reason: str) -> None:
    hoster.add("acme", www=NEVER)
    (hoster.machine.root / "keys/acme-www").write_text(content + "\n")

    told = hoster.machine.run("secrets", "check")

    assert told.returncode == 1
    assert "1 secret: 0 can be used, 1 cannot\n" in told.stdout
    assert "resources.www.repository_key is not a key: " in told.stderr
    assert reason in told.stderr
    assert "5ecret" not in told.stdout + told.stderr


def test_the_halves_of_an_access_key_and_a_password_are_looked_at(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)
    say(hoster, access_key_id="\n\n", secret_access_key=" 5ecret", password="5ecret\a")

    told = hoster.machine.run("secrets", "check")
    rows = {row["secret"]: row["error"] for row in hoster.machine.asked("secrets", "check")}

    assert told.returncode == 1
    assert "4 secrets: 1 can be used, 3 cannot\n" in told.stdout
    assert "access_key_id" in rows["access_key_id"]
    assert "blanks at an end" in rows["secret_access_key"]
    assert "a line break or another control character" in rows["resources.www.password"]
    assert rows["resources.www.repository_key"] is None
    assert "5ecret" not in told.stdout + told.stderr


def test_one_key_in_two_places_is_one_key(hoster: Hoster) -> None:
    hoster.add("acme", www=NEVER)
    hoster.add("blue", www=NEVER)
    keys = hoster.machine.root / "keys"
    (keys / "blue-www").write_text((keys / "acme-www").read_text())

    told = hoster.machine.run("secrets", "check")

    assert told.returncode == 1
    assert f"error: acme/www and blue/www have one key, file:{keys}/blue-www\n" in told.stderr
    assert "2 secrets: 0 can be used, 2 cannot\n" in told.stdout
