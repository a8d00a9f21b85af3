"""A customer's file that somebody hostile wrote costs little time and memory, and stops nobody."""

import subprocess
import sys
import time

import pytest

from tests.unit.cli.test_customers import WWW, place
from unstoppable.cli import completion, customer_file
from unstoppable.cli.settings import read_all
from unstoppable.domain import toml
from unstoppable.domain.customer_errors import CustomerFileInvalid

__all__ = ["place"]
SECONDS = 4.0
"""Of less than one, where coverage is measured and others work too; else they take minutes."""
HUGE = f"0x{'f' * 5000}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"connections = {HUGE}\n{WWW}", "connections in {path} line 1 cannot be used: it is more"),
        (f"{WWW}max_files = {HUGE}\n", "max_files in {path} line 4 cannot be used: it is more"),
        (f"{WWW}max_files = -{HUGE[2:]}\n", "{path} cannot be used: "),
        (f"{WWW}max_files = {2**63}\n", "max_files in {path} line 4 cannot be used: it is more"),
        (f"{WWW}max_files = 0\n", "max_files in {path} line 4 cannot be used: it is less than 1"),
        (
            f"{WWW}keep = {{ daily = {HUGE} }}\n",
            "keep.daily in {path} line 4 cannot be used: it is",
        ),
    ],
)
def test_a_number_without_end_is_one_fault_of_its_file_and_stops_no_other(place, text, told):
    path = place.customer("acme", text)
    place.customer("blue")

    found = read_all(place.env_file)

    [fault] = found.broken["acme"]
    assert str(fault) == str(customer_file.read(path).faults[0])
    assert told.replace("{path}", str(path)) in str(fault)
    assert [str(one.configuration.resource) for one in found.all] == ["blue/www"]


@pytest.mark.parametrize(
    ("form", "place_of_it"),
    [
        ('max_shrink = "{}"\n[resources.www]\n', "defaults.max_shrink in {path} line 2"),
        ("exclude = ['{}']\n[resources.www]\n", "defaults.exclude.0 in {path} line 2"),
    ],
)
def test_a_text_that_is_longer_than_any_has_to_be_is_refused_once_for_all_resources(
    place, form, place_of_it
):
    path = place.customer("acme", "[defaults]\n" + form.format("x" * 4097))
    right = place.customer("blue", "[defaults]\n" + form.format("x" * 4096))

    [fault] = customer_file.read(path).faults

    told = f"{place_of_it} cannot be used: it is longer than 4096 characters"
    assert str(fault) == told.replace("{path}", str(path))
    assert customer_file.read(right).faults == ()


def test_whatever_a_file_makes_of_its_reader_is_a_fault_of_that_file(place, monkeypatch):
    def refuse(text):
        assert text == path.read_text()
        raise ValueError("it is beyond everything")

    path = place.customer("acme")
    monkeypatch.setattr(toml, "lines_of", refuse)

    [fault] = customer_file.read(path).faults

    assert isinstance(fault, CustomerFileInvalid)
    assert str(fault) == f"the customer's file {path} cannot be used: it is beyond everything"


@pytest.mark.parametrize(
    "text",
    [
        "resources = 5",
        "resources = ['www']",
        '[resources."a\\nplain,b"]',
        '[resources."A"]',
        "[[resources]]\nwww = 1",
    ],
)
def test_what_is_no_resource_completes_nothing_and_stops_no_other(place, text):
    place.customer("acme", text)
    place.customer("a\nplain,b")
    place.customer("blue")

    assert [item.value for item in completion.resources(place.env_file, "")] == ["blue/www"]


def within(before: str, each: str, after: str = "") -> str:
    """Return the longest text that may stand in a file, with `each` as often as it fits."""
    left = toml.LARGEST_BYTES - len((before + after + WWW).encode())
    return before + each * (left // len(each.encode())) + after + WWW


def tables(form: str) -> str:
    """Return as many resources as fit into a file, each with the value of its number."""
    lines = [form.format(number) for number in range(toml.LARGEST_BYTES // (len(form) + 4))]
    return "".join(lines)


WORST = {
    "blanks in a header": within('name="""\n[', " ", 'x"""\n'),
    "tabs before a header": within('name="""\n', "\t", '[x"""\n'),
    "blanks behind a header": within('name="""\n[x', " ", '"""\n'),
    "words in a header": within('name="""\n[', "x ", '!"""\n'),
    "a long header": within('name="""\n[', "x", '"""\n'),
    "brackets": within('name="""\n', "[", '"""\n'),
    "lines of brackets": within('name="""\n', "[x\n", '"""\n'),
    "blanks behind a key": within('name="""\nx', " ", '"""\n'),
    "words before an equals sign": within('name="""\n', "x ", '="""\n'),
    "lines": within('name="""', "\n", '"""\n'),
    "patterns with commas": within("[defaults]\nexclude=[", '",",', "]\n"),
    "a reference that is none, for many": 'ping_url="x"\n[resources]\n' + tables("a{}={{}}\n"),
    "no references for many": "[resources]\n" + tables('a{}={{ping_url="x"}}\n'),
    "no schedules for many": "[resources]\n" + tables('a{}={{zone="x"}}\n'),
    "no tables": "[resources]\n" + tables("a{}=1\n"),
    "no names": "[resources]\n" + tables("A{}={{}}\n"),
}


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_file_of_a_customer_takes_little_time(place, kind):
    text = WORST[kind]
    assert toml.LARGEST_BYTES * 0.7 < len(text.encode()) <= toml.LARGEST_BYTES
    path = place.customer("acme", text)
    before = time.process_time()

    customer_file.read(path)

    assert time.process_time() - before < SECONDS


MEMORY_MIB = 150
MANY = "[resources]\n" + "".join(f'a{number}={{source="/x"}}\n' for number in range(2000))


def listed(key: str, form: str, number: int = 2000) -> str:
    return f"{key} = [\n" + "".join(f'"{form.format(i)}",\n' for i in range(number)) + "]\n"


LISTS = {
    "patterns": "[defaults]\n" + listed("exclude", "*.{}") + MANY,
    "more patterns": "[defaults]\n" + listed("exclude", "a", 35_000) + MANY,
    "reporters": listed("reporters", "https://reporter.example/{}") + MANY,
    "recipients": listed("mail_to", "{}@acme.example") + MANY,
    "patterns of some beside those of all": "[defaults]\n"
    + listed("exclude", "a", 30_000)
    + MANY.replace('"/x"}', '"/x",exclude=["b"]}', 900),
}
READ = """
import sys
from pathlib import Path
from unstoppable.cli.settings import read_all

def most_kib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

env_file = Path(sys.argv[1])
read_all(env_file)
before = most_kib()
(env_file.parent / "customers/acme.toml").write_text(sys.stdin.read())
found = read_all(env_file)
print(most_kib() - before, len(found.all), *map(str, found.faults[:3]))
"""


@pytest.mark.parametrize("kind", LISTS)
def test_what_holds_for_each_of_many_resources_is_kept_once(place, kind):
    place.customer("blue")
    assert len(LISTS[kind].encode()) <= toml.LARGEST_BYTES

    told = subprocess.run(
        (sys.executable, "-c", READ, place.env_file),
        input=LISTS[kind],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    used_kib, resources, *faults = told.split()
    assert (int(resources), faults) == (2001, [])
    assert int(used_kib) < MEMORY_MIB * 1024
