"""`make demo`, as people run it where there is no terminal: it must tell its whole story, and leave nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 110


def start(temporary: Path) -> subprocess.Popen[str]:
    """The demo, its files under `temporary`; the folder's name tells its processes from those of other runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "TMPDIR": str(temporary), "CI": "true"}
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_over(temporary: Path) -> list[str]:
    """Processes that were started with these files, by their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"TMPDIR={temporary}\0".encode() in environment:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def test_the_demo_shows_what_it_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = start(tmp_path)
    told, _ = demo.communicate(timeout=WITHIN_S)
    assert demo.returncode == 0, told
    _, _, checks = told.partition("What was to be seen:\n")
    assert "NOT SEEN" not in checks
    for slug in ("strat.elections_momentum", "data.book_07", "strat.crypto_arbitrage", "exec.router_03"):
        for what in (r"goes Missing .*", "goes Down", "pages BOT_DOWN", "is restarted.*", "is Healthy again"):
            assert re.search(rf"^  seen .*  {slug} {what}$", checks, re.MULTILINE), f"{slug} {what}\n{told}"
    assert "exec.router_03 is restarted, 3 of 3" in checks
    assert "exec.router_03 has exhausted its budget" in checks
    assert "pods replaced = restarts on record = 6" in checks
    assert '"total_bots": 97' in told
    assert left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_demo_that_is_stopped_ends_all_that_it_started(tmp_path: Path) -> None:
    demo = start(tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "the operator starts" in line:
            break
    assert len(left_over(tmp_path)) > 97
    demo.send_signal(signal.SIGINT)
    told, _ = demo.communicate(timeout=30)
    assert demo.returncode == 130, told
    deadline = time.monotonic() + 5
    while (left := left_over(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert list(tmp_path.iterdir()) == []
