import pytest

from unstoppable.cli.settings_model import NAMES


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    """Give the tests none of the settings of whoever runs them."""
    for name in (*NAMES, *(f"{name}_FILE" for name in NAMES), "UNSTOPPABLE_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)
