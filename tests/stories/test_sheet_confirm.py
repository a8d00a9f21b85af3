"""The key is on paper: somebody typed it from there, and the files are gone."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable

import pytest

from tests.stories.sheets import NAMES, paper, sheets
from tests.stories.world import DEADLINE_SECONDS, Machine, contents


def confirm(
    machine: Machine, answer: Callable[[int], str], *options: str
) -> tuple[int, str, str, list[int]]:
    """Answer what is asked; returns exit code, stdout, stderr, and the groups that were asked."""
    asked: list[int] = []
    told: list[str] = []
    with subprocess.Popen(
        machine.argv("key", "sheet", "--confirm", *options),
        env=machine.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stderr
        for line in running.stderr:
            told.append(line)
            if found := re.fullmatch(r"group (\d+):\n", line):
                asked.append(int(found[1]))
                running.stdin.write(answer(asked[-1]) + "\n")
                running.stdin.flush()
        shown = running.stdout.read()
    return running.returncode, shown, "".join(told), asked


def at_a_terminal(machine: Machine, *, type_back: bytes) -> tuple[int, str]:
    """Confirm at a terminal, typing the same into each question; returns what was shown."""
    ours, theirs = pty.openpty()
    become_its_own = ("setsid", "--ctty", "--wait")
    with subprocess.Popen(
        (*become_its_own, *machine.argv("key", "sheet", "--confirm")),
        env=machine.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        shown, answered = b"", 0
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
                if len(re.findall(rb"group \d+: ", shown)) > answered:
                    answered += 1
                    os.write(ours, type_back)
        except OSError:
            os.close(ours)
        running.wait(DEADLINE_SECONDS)
    return running.returncode, shown.decode()


def test_status_nags_until_groups_were_typed_from_paper_and_then_the_files_are_gone(well):
    page, text = sheets(well)
    on_paper = paper(well)
    assert f"not confirmed: print {page}, then `unstoppable key sheet" in well.done("status")
    assert well.asked("status")["sheet_files"] == [str(page), str(text)]
    before = contents(well.root)

    code, shown, _, asked = confirm(well, on_paper.__getitem__)

    assert code == 0
    assert (len(set(asked)), asked) == (3, sorted(asked))
    assert f"confirmed: the key {well.done('key', 'fingerprint')[:8]} of default/default" in shown
    assert f"deleted {page}\ndeleted {text}\n" in shown
    assert set(before) - set(contents(well.root)) == {
        str(path.relative_to(well.root)) for path in (page, text)
    }
    status = well.asked("status")
    assert (status["is_sheet_confirmed"], status["sheet_files"]) == (True, [])
    assert re.search(r"^key sheet    confirmed \d{4}-", well.done("status"), re.MULTILINE)
    record = (well.state / "recovery-sheets.json").read_text()
    assert well.done("key", "fingerprint").strip() in record
    assert not any(group[:9].replace(" ", "") in record for group in on_paper.values())


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_group_that_is_wrong_is_named_and_nothing_is_deleted(well, which):
    on_paper = paper(well)
    count = iter(range(3))

    def answer(number: int) -> str:
        return "0000 0000 00" if next(count) == which else on_paper[number]

    code, shown, told, asked = confirm(well, answer)

    assert (code, shown) == (1, "")
    assert f"error: group {asked[which]} is not that of the key of default/default\n" in told
    assert len(sheets(well)) == 2
    assert well.asked("status")["is_sheet_confirmed"] is False


def test_the_groups_of_another_key_are_not_enough(well):
    code, *_ = confirm(well, lambda number: f"1234 5678  {(0x12345678 + number) % 251:02x}")

    assert code == 1


def test_who_types_nothing_cancels(well):
    result = well.run("key", "sheet", "--confirm", typed="1234\n")

    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr.endswith("error: cancelled\n")
    assert len(sheets(well)) == 2
    assert well.asked("status")["is_sheet_confirmed"] is False


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (b"1234 5678 9a\n", 1, "error: group"),
        (b"1234\xff\n", 1, "error: group"),
        (b"\x04", 130, "error: cancelled"),
        (b"\x03", 130, "error: cancelled"),
    ],
)
def test_nothing_that_is_typed_at_a_terminal_is_shown(well, typed, code, sentence):
    left, shown = at_a_terminal(well, type_back=typed)

    assert left == code
    assert sentence in shown
    assert "1234" not in shown
    assert len(sheets(well)) == 2


def test_which_groups_are_asked_is_by_chance(well):
    asked = {tuple(confirm(well, lambda _: "0")[3]) for _ in range(6)}

    assert len(asked) > 1


def test_a_new_key_needs_a_new_confirmation(well):
    confirm(well, paper(well).__getitem__)
    for path in (well.cold, well.hot, well.env_file, well.pins_file):
        path.rename(path.with_name(f"old-{path.name}"))

    well.done("init", str(well.data))

    assert well.asked("status")["is_sheet_confirmed"] is False
    assert len(sheets(well)) == 2


def test_a_sheet_that_was_printed_again_still_lies_there(well):
    on_paper = paper(well)
    confirm(well, on_paper.__getitem__)

    told = well.asked("key", "sheet")

    assert told["files"] == [str(path) for path in sheets(well)]
    status = well.done("status")
    assert re.search(
        r"^key sheet    confirmed .*; but .*\.html still lies here: delete", status, re.MULTILINE
    )
    assert well.asked("status")["is_sheet_confirmed"] is True
    assert json.loads(confirm(well, on_paper.__getitem__, "--json")[1])["deleted"] == told["files"]


def test_status_waits_for_no_mount_and_a_confirmation_tells_one_that_is_dead(apart):
    machine = apart.machine
    machine.done("init", str(machine.data))
    stick = machine.root / "stick"
    machine.done("key", "sheet", "--to", str(stick))
    server = os.open("/dev/fuse", os.O_RDWR)  # nobody reads what the kernel asks there
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0"
    mount = ("mount", "-i", "-t", "fuse", "-o", options, "silent", str(stick))
    subprocess.run((*machine.entered, *mount), check=True, pass_fds=[server])

    lying = machine.asked("status")["sheet_files"]
    os.close(server)
    dead = machine.run("key", "sheet", "--confirm")

    assert lying == [str(path) for path in (*sheets(machine), *map(stick.joinpath, NAMES))]
    assert (dead.returncode, dead.stdout) == (1, "")
    assert dead.stderr.startswith(f"error: what lies at {stick}")
    assert "cannot be read: Transport endpoint is not connected\n" in dead.stderr
    assert (machine.asked("status")["is_sheet_confirmed"], len(sheets(machine))) == (False, 2)
