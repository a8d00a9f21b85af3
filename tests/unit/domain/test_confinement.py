from dataclasses import replace

import pytest

from unstoppable.domain.confinement import NOT_CHILDLESS, NOT_CONFINED, Confinement

WHOLE = Confinement(abi=7, files=True, network=True, processes=True, children=True, missing=())


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (WHOLE, "confined by Landlock 7: files, TCP, signals, children"),
        (replace(WHOLE, network=False), "confined by Landlock 7: files, signals, children"),
        (
            replace(WHOLE, abi=2, network=False, processes=False, children=False),
            f"confined by Landlock 2: files; {NOT_CHILDLESS}",
        ),
        (
            Confinement(
                abi=0, files=False, network=False, processes=False, children=False, missing=()
            ),
            NOT_CONFINED,
        ),
    ],
)
def test_what_holds_is_told_and_nothing_else(held, told):
    assert held.told == told
