"""Functions fit one glance, modules fit one sitting."""

from pathlib import Path

from tests.house.shape import too_long

ROOT = Path(__file__).parents[2]


def test_no_function_and_no_module_is_too_long():
    assert too_long(ROOT) == []
