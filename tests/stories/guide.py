"""docs/recovery.md as a person follows it: what stands in a block is typed, and must print that.

How a block is read:

- `$ ` begins a command, `> ` goes on with it; other lines are what it prints, stderr included.
- `…` stands for anything within a line; alone on a line, for any number of lines.
- A command ends with 0 unless the next one is `echo $?`.
- A block of Python is the file that its first line names, in the folder of the work.
- The names of the table "The names in the commands" stand for those of the reader.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/recovery.md"
DEADLINE_SECONDS = 300
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|^(#{2,3}) ([^\n]+)$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"\n?@@step (\d+) ended with (\d+)@@\n")


@dataclass(frozen=True, slots=True)
class Step:
    """A command and what it must print."""

    command: str
    shown: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading."""

    heading: str
    steps: tuple[Step, ...]
    files: tuple[tuple[str, str], ...]
    """Names and contents of the files that its blocks of Python are."""


def read(document: str) -> dict[str, Section]:
    """Return every section that has a block, by its heading."""
    steps: dict[str, list[Step]] = {}
    files: dict[str, list[tuple[str, str]]] = {}
    heading = ""
    for language, body, _, title in _BLOCK.findall(document):
        if title:
            heading = title
            assert heading not in steps, heading
            steps[heading], files[heading] = [], []
        elif language == "python":
            files[heading].append((body.split()[1], body))
        else:
            assert language == "console", (heading, language)
            steps[heading] += _steps(body)
    return {
        title: Section(title, tuple(found), tuple(files[title]))
        for title, found in steps.items()
        if found or files[title]
    }


def _steps(body: str) -> list[Step]:
    commands: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.startswith("> "):
            commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
        else:
            commands[-1][1].append(line)
    return [Step(command, "\n".join(shown)) for command, shown in commands]


SECTIONS = read(DOCUMENT.read_text())
FOLLOWED: set[str] = set()
"""The headings of sections that a test follows."""


def stand_ins() -> list[str]:
    """Return the names that stand for those of the reader."""
    chapter = DOCUMENT.read_text().partition("## The names in the commands")[2]
    rows = re.findall(r"^\| (`[^|]+`) \|", chapter.partition("\n## ")[0], re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def follows(*headings: str) -> pytest.MarkDecorator:
    """Give a test these sections, as `sections`; they count as followed."""
    FOLLOWED.update(headings)
    sections = [SECTIONS[heading] for heading in headings]
    return pytest.mark.parametrize("sections", [sections], ids=[headings[0]])


@dataclass(frozen=True, slots=True)
class Reader:
    """A person with a shell, in a folder, with names and secrets of their own."""

    work: Path
    environment: Mapping[str, str]
    names: Mapping[str, str]
    """What each name of the commands stands for."""
    typed: str = ""
    """What is typed where a command asks, such as the secret."""
    become: tuple[str, ...] = ()

    def follow(self, sections: list[Section]) -> str:
        """Do every step of the sections in one shell, and compare; returns all that was shown."""
        for name, content in (file for section in sections for file in section.files):
            (self.work / name).write_text(content)
        steps = [step for section in sections for step in section.steps]
        script = "exec 2>&1\n" + "".join(map(self._typed, range(len(steps)), steps))
        result = subprocess.run(
            (*self.become, "bash", "-c", script),
            cwd=self.work,
            env=dict(self.environment),
            input=self.typed,
            stdout=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        shown, codes = _MARK.split(result.stdout)[::3], _MARK.split(result.stdout)[2::3]
        assert len(codes) == len(steps), result.stdout
        for number, step in enumerate(steps):
            self._compare(step, shown[number], int(codes[number]), steps[number + 1 :])
        return result.stdout

    def _typed(self, number: int, step: Step) -> str:
        told = f'printf "\\n@@step {number} ended with %s@@\\n" $code'
        return f"{self._theirs(step.command)}\ncode=$?; {told}; (exit $code)\n"

    def _compare(self, step: Step, shown: str, code: int, following: list[Step]) -> None:
        asks_for_code = bool(following) and following[0].command == "echo $?"
        assert code == 0 or asks_for_code, (step.command, code, shown)
        pattern = re.escape(self._theirs(step.shown))
        pattern = re.sub(
            r"^…(\n|\Z)", r"(?:.*\\n)*", pattern.replace("\\\n", "\n"), flags=re.MULTILINE
        )
        pattern = pattern.replace("…", "[^\\n]*")
        assert re.fullmatch(pattern, shown.removesuffix("\n")) or re.fullmatch(pattern, shown), (
            f"$ {step.command}\n{shown}\n--- but the document says\n{step.shown}"
        )

    def _theirs(self, text: str) -> str:
        """Return a text of the document with the reader's own names in it, the longest first."""
        names = sorted(self.names, key=len, reverse=True)
        found = re.compile("|".join(map(re.escape, names)) or "(?!)")
        return found.sub(lambda match: self.names[match[0]], text)
