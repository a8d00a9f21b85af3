"""What ./check asks of pytest beyond a developer's run; loaded with `-p tests.house.strict`.

A skipped test is a failure, and the hypothesis profile `full` searches three times longer.
"""

import hypothesis
import pytest

hypothesis.settings.register_profile("full", max_examples=300, deadline=None)

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid in _skipped:
        terminalreporter.write_line(f"FAILED {nodeid}: skipped, and ./check runs every test")
