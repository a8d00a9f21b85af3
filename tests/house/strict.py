"""What ./check asks of pytest beyond a developer's run; loaded with `-p tests.house.strict`.

A skipped test is a failure, and one that leaves anything where installations of root are; a slow
machine is none, and the hypothesis profile `full` searches three times longer.
"""

from pathlib import Path

import hypothesis
import pytest

_ANY_MACHINE = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("check", _ANY_MACHINE)
hypothesis.settings.register_profile("full", _ANY_MACHINE, max_examples=300)
hypothesis.settings.load_profile("check")

_skipped: list[str] = []

_ROOTS = ("/etc/unstoppable", "/var/lib/unstoppable", "/opt/unstoppable", "/run/unstoppable")
_not_there = [path for path in map(Path, _ROOTS) if not path.exists()]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    left = [str(path) for path in _not_there if path.exists()]
    assert not left, f"{item.nodeid}, or a test beside it, left on this machine: {left}"


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid in _skipped:
        terminalreporter.write_line(f"FAILED {nodeid}: skipped, and ./check runs every test")
