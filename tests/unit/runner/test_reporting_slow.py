"""A reporter that is slow keeps nobody else from being told."""

import pytest

from tests.unit.runner.test_reporting import Teller, runs
from unstoppable.runner import reporting


@pytest.fixture
def teller(tmp_path, witness, infisical_certificate):
    return Teller(tmp_path, witness.records, infisical_certificate)


def test_a_look_ends_in_time_and_the_next_goes_on(teller, witness, monkeypatch):
    teller.run("1", "2", "3")
    monkeypatch.setattr(reporting, "LOOK_SECONDS", -1)

    assert teller.look_for_more() == ([], True)
    assert runs(witness) == ["1"]
    assert teller.look_for_more() == ([], True)
    monkeypatch.undo()
    assert teller.look_for_more() == ([], False)

    assert runs(witness) == ["1", "2", "3"]
