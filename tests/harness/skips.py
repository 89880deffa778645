"""What was skipped, by name and reason, as the last thing said; with CI=true a skip that is not kind's is a failure."""

import os
from collections.abc import Generator

import pytest


class Skips:
    """Registered as a plugin: it listens to the reports and has the last word."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.found.append((report.nodeid, _reason(report)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.found.append((report.nodeid, _reason(report)))

    @property
    def unforgiven(self) -> list[tuple[str, str]]:
        """What may not be skipped in CI: everything but kind, which needs a Docker."""
        if os.environ.get("CI") != "true":
            return []
        return [(name, reason) for name, reason in self.found if not reason.startswith("kind:")]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unforgiven and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None]:
        yield
        if not self.found:
            return
        terminalreporter.section("skipped, by name and reason")
        for name, reason in self.found:
            terminalreporter.write_line(f"{name}: {reason}")
        if self.unforgiven:
            terminalreporter.write_line(
                f"CI=true allows no skip but kind's: {len(self.unforgiven)} of these make the run fail", red=True
            )


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ").removeprefix("Skipped") or "no reason given"
