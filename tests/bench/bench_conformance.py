"""Which candidates pass the prober's conformance suite: `python -m bench.bench_conformance`.

The suite is `tests/unit/probe/test_conformance.py` and `test_at_the_deadline.py` as they are, with the candidate in
our prober's place, on asyncio's loop and on uvloop's, but for the tests of our own words and request. What counts is
each test's own verdict; descriptors left open at its end are not held against one that keeps a pool. A candidate may
hang so that nothing in its process can stop it: then the process ends, that test has failed, and another goes on with
the next.
"""

import argparse
import faulthandler
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.candidates import CANDIDATES
from bench.figures import Row, dump, table

GROUP = "Conformance: hostile endpoints, IPv6, chunked, HTTP/1.0, early close, answers at the very deadline"
TESTS = Path(__file__).parents[1]
SUITE = [TESTS / "unit" / "probe" / name for name in ("test_conformance.py", "test_at_the_deadline.py")]
OUR_OWN = ("test_the_message_", "test_the_request_")
TEST_S = 10
"""Half as long again, and a test that pytest could not end takes its process with it."""


class Candidate:
    """Puts a candidate in our prober's place, and keeps a diary: a line [test, passed] for each begin and end.

    At its begin a test counts as failed. What is in the diary already is not run again.
    """

    def __init__(self, name: str, diary: Path) -> None:
        self._name = name
        self._diary = diary

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        told = read(self._diary)
        items[:] = [
            item for item in items if not _name(item.nodeid).startswith(OUR_OWN) and _name(item.nodeid) not in told
        ]
        for item in items:
            item.module.probe = CANDIDATES[self._name]  # type: ignore[attr-defined]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(nodeid, passed=False)
        faulthandler.dump_traceback_later(1.5 * TEST_S, exit=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.failed:
            self._write(report.nodeid, passed=True)

    def pytest_sessionfinish(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def _write(self, nodeid: str, *, passed: bool) -> None:
        with self._diary.open("a") as lines:
            lines.write(f"{json.dumps([_name(nodeid), passed])}\n")


def _name(nodeid: str) -> str:
    return nodeid.partition("::")[2]


def read(diary: Path) -> dict[str, bool]:
    """Whether each test that began has passed."""
    return dict(json.loads(line) for line in diary.read_text().splitlines())


def run(name: str, diary: Path) -> None:
    """Run what the diary does not hold yet."""
    quiet = ["-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", f"--timeout={TEST_S}"]
    pytest.main([*quiet, *map(str, SUITE)], plugins=[Candidate(name, diary)])


def tried(name: str) -> dict[str, bool]:
    """Whether one candidate passes each test, tried in as many processes as it takes."""
    with tempfile.TemporaryDirectory() as folder:
        diary = Path(folder, "diary")
        diary.touch()
        argv = [sys.executable, "-m", "bench.bench_conformance", "--one", name, str(diary)]
        before = -1
        while before < len(read(diary)):
            before = len(read(diary))
            if not subprocess.run(argv, check=False, capture_output=True).returncode:
                break
        return read(diary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("CANDIDATE", "DIARY"), help="run what the diary does not hold yet")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.one:
        run(options.one[0], Path(options.one[1]))
        return
    rows: list[Row] = []
    found = {name: tried(name) for name in CANDIDATES}
    if not all(verdicts.keys() == found["ours"].keys() != set() for verdicts in found.values()):
        raise SystemExit(f"not all were put to the same tests: { {name: len(tests) for name, tests in found.items()} }")
    for name, verdicts in found.items():
        failed = [test for test, passed in verdicts.items() if not passed]
        sys.stderr.write("".join(f"{name} fails {test}\n" for test in failed))
        note = f"of {len(verdicts)}"
        rows.append(Row(group=GROUP, what=f"{name}: tests failed", unit="", values=[len(failed)], note=note))
    sys.stdout.write(dump(rows) if options.json else table(rows) + "\n")


if __name__ == "__main__":
    main()
