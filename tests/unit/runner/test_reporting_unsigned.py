"""Records that nobody can sign are told to no reporter, and wait for him."""

from datetime import timedelta

import pytest

from tests.unit.runner.record import BEGAN
from tests.unit.runner.test_reporting import Teller, runs
from unstoppable.domain.record_errors import EmitterUnusable
from unstoppable.runner import emitter_file


def test_records_that_cannot_be_signed_wait_too(tmp_path, witness, infisical_certificate):
    teller = Teller(tmp_path, witness.records, infisical_certificate)
    teller.run("1")
    teller.look()
    emitter_file.key_file(tmp_path, "alice").write_text("no key")
    with pytest.raises(EmitterUnusable):
        teller.run("2")

    teller.look()

    assert runs(witness) == ["1"]
    waits = teller.waits()
    assert (waits.records, waits.since) == (1, BEGAN + timedelta(minutes=1))
    assert waits.cause == "1 record not signed, until the key for it can be used"
