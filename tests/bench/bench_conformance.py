"""Which candidates pass the prober's conformance suite: `python -m bench.bench_conformance`.

The suite is `tests/unit/probe/test_conformance.py` as it is, with the candidate in our prober's place, on asyncio's
loop and on uvloop's. What counts is each test's own verdict; descriptors left open at its end are not held against one
that keeps a pool.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.candidates import CANDIDATES
from bench.figures import Row, dump, table

GROUP = "Conformance: hostile endpoints, IPv6, chunked, HTTP/1.0, early close"
TESTS = Path(__file__).parents[1]
SUITE = TESTS / "unit" / "probe" / "test_conformance.py"
TEST_S, WHOLE_S = 10, 1200
"""A candidate that hangs has failed that test, and the suite goes on."""


class Candidate:
    """A plugin that puts a candidate in our prober's place, and counts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.passed = 0
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.module.probe = CANDIDATES[self._name]  # type: ignore[attr-defined]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.passed += report.passed
            if report.failed:
                self.failed.append(report.nodeid.partition("::")[2])


def tried(name: str) -> tuple[int, list[str]]:
    """How many tests one passes, and the names of those it fails, in a process of its own."""
    argv = [sys.executable, "-m", "bench.bench_conformance", "--one", name]
    said = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=WHOLE_S).stdout
    passed, failed = json.loads(said.splitlines()[-1])
    return passed, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", choices=CANDIDATES, help="try this one, and print how many passed and which failed")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.one:
        candidate = Candidate(options.one)
        quiet = ["-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", f"--timeout={TEST_S}"]
        pytest.main([*quiet, str(SUITE)], plugins=[candidate])
        sys.stdout.write(f"\n{json.dumps([candidate.passed, candidate.failed])}\n")
        return
    rows: list[Row] = []
    for name in CANDIDATES:
        passed, failed = tried(name)
        sys.stderr.write("".join(f"{name} fails {test}\n" for test in failed))
        note = f"of {passed + len(failed)}"
        rows.append(Row(group=GROUP, what=f"{name}: tests failed", unit="", values=[len(failed)], note=note))
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
