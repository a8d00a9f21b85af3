"""A success whose record nobody can sign is none, to whoever is pinged as to the exit code."""

import pytest

from tests.unit.runner.test_pings import Pinger, paths
from unstoppable.domain.outcome import Outcome
from unstoppable.domain.record_errors import EmitterUnusable
from unstoppable.runner import emitter_file


def test_it_is_told_as_a_failure_and_the_next_one_that_is_signed_as_a_success(tmp_path, witness):
    pinger = Pinger(tmp_path, witness)
    pinger.run("1")
    pinger.look()
    key = emitter_file.key_file(tmp_path, "alice")
    whole = key.read_text()
    key.write_text("no key")
    for name, outcome in (("2", Outcome.SUCCEEDED), ("3", Outcome.SKIPPED)):
        with pytest.raises(EmitterUnusable):
            pinger.run(name, outcome)
    pinger.look()
    key.write_text(whole)
    pinger.run("4")
    pinger.look()

    assert paths(witness) == ["", "/fail", "/log", ""]
    assert b"succeeded, snapshot ffffffff, and its record could not be signed, at " in (
        witness.told[1].body
    )
