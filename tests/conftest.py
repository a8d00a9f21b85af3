"""What all tests share."""

import pytest

pytest_plugins = [
    "tests.house.installing",
    "tests.servers.s3",
    "tests.servers.ftps",
    "tests.servers.infisical",
    "tests.stories.site",
    "tests.servers.scripted",
    "tests.servers.postbox",
    "tests.servers.witness",
    "tests.stories.world",
    "tests.stories.acme",
    "tests.stories.faulty",
    "tests.stories.hoster",
    "tests.stories.keeper",
    "tests.stories.lost",
    "tests.stories.mounting",
    "tests.stories.rows",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how often a backup is killed")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often the story of interruptions kills a backup."""
    return int(request.config.getoption("--kills"))
