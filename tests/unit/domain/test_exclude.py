"""What is said of a single path is what the engine does while it walks."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unstoppable import engine
from unstoppable.domain.exclude import is_left_out
from unstoppable.domain.names import ResourceName
from unstoppable.domain.run import Run

ALICE = ResourceName(customer="alice", resource="www")
FOLDERS = ("a", "a/b", "a/b/c", "b", "b/a", "b/c a", "cache", "cache/x", "x.tmp", "[a]", "!a", "#a")
GLOBS = [
    *("a", "/a", "a/", "b/a", "/b/a/", "*", "**", "a/*", "a/**", "**/a", "**/c", "a/**/c", "a/b/"),
    *("?", "b/?", "[a]", "[!a]", "[^a]", "[a-c]", "\\[a]", "{a}", "c*", "*.tmp", "*e", "b/c a"),
    *("!a", "!b/a", "!*", "!cache", "\\!a", "\\#a", "#a", "cache/*", "!cache/x", "a*", "**/b/**"),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> engine.Repository:
    cold = tmp_path_factory.mktemp("cold") / "g1"
    places = engine.Places(resource=ALICE, generation=1, cold=cold, hot=None)
    key = engine.derive_key(engine.generate_root_secret(), places)
    pins = engine.create(places, key, datetime(2026, 11, 24, tzinfo=UTC))
    return engine.Repository.open(places, key, pins, mode="append")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    return folder


def stored(repository: engine.Repository, source: engine.Source) -> set[str]:
    """Return the folders that a backup holds."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    run = Run(id="r", resource=ALICE, slot_at=None, started_at=now, pid=1)
    watch = engine.Watch(cancel=engine.Cancel(), progress=lambda _progress: None)
    snapshot = repository.backup(source, run, watch).snapshot_id
    with repository.entries(snapshot, path=b"") as entries:
        return {entry.path.decode() for batch in entries for entry in batch}


@pytest.mark.parametrize("glob", GLOBS)
def test_each_kind_of_pattern_means_what_it_means_to_the_engine(glob, repository, tree):
    patterns = ("cache/x", glob)
    kept = stored(repository, engine.Source(place=tree, exclude=patterns))

    assert {name for name in FOLDERS if not is_left_out(name.encode(), patterns)} == kept & {
        *FOLDERS
    }


@given(patterns=st.lists(st.sampled_from(GLOBS), max_size=4).map(tuple))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_patterns_together_mean_what_they_mean_to_the_engine(patterns, repository, tree):
    kept = stored(repository, engine.Source(place=tree, exclude=patterns))

    assert {name for name in FOLDERS if not is_left_out(name.encode(), patterns)} == kept & {
        *FOLDERS
    }


def test_names_and_patterns_that_are_not_text_are_compared_as_bytes():
    assert is_left_out(b"caf\xe9/disk", ("caf\udce9",))
    assert not is_left_out(b"cafe/disk", ("caf\udce9",))
    assert is_left_out(b"line\nbreak", ("line*",))
