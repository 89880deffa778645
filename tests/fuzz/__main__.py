"""`make fuzz`: what the world sends us, by coverage-guided fuzzing, against what must hold of it.

`python -m fuzz [--minutes 10] [TARGET...]` shares the time out among the targets. Each begins with its kept corpus and
its seeds, and stops at its first finding, which it leaves in `tests/fuzz/findings`. What reached new code is kept,
minimised, in `tests/fuzz/corpus` with --keep; `make test` replays it.
"""

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGETS = ("answer", "receiver", "report", "pause", "status")
HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FINDINGS = HERE / "findings"
MERGE_S = 120
LONGEST_INPUT_S = 10
MOST_MEMORY_MB = 2048


def main() -> None:
    """Fuzz; exit with 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for all targets together (default 10)")
    parser.add_argument("--keep", action="store_true", help="keep what reached new code in the corpus")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    targets = options.targets or TARGETS
    seconds = max(1, round(60 * options.minutes / len(targets)))
    found = 0
    for target in targets:
        with tempfile.TemporaryDirectory() as folder:
            found += _fuzz(target, Path(folder), seconds=seconds)
            if options.keep:
                _keep(target, Path(folder))
    sys.exit(min(found, 1))


def _fuzz(target: str, folder: Path, *, seconds: int) -> bool:
    """Fuzz one target, leaving its whole corpus in `folder`; say in one line what came of it."""
    module = importlib.import_module(f"fuzz.{target}")
    for number, seed in enumerate(module.seeds()):
        (folder / f"seed-{number}").write_bytes(seed)
    FINDINGS.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={module.MAX_INPUT}",
        f"-timeout={LONGEST_INPUT_S}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-artifact_prefix={FINDINGS}/{target}-",
    ]
    done = _engine(target, folder, CORPUS / target, *options)
    runs = re.search(r"Done (\d+) runs", done.stdout)
    covered = re.findall(r"cov: (\d+)", done.stdout)
    clean = f"{runs[1]} executions in {seconds} s, none against the rules" if runs and not done.returncode else ""
    sys.stdout.write(f"{target}: {clean or 'FOUND'}; {covered[-1] if covered else 0} branches reached\n")
    if not clean:
        sys.stdout.write(done.stdout[-6000:])
    sys.stdout.flush()
    return not clean


def _keep(target: str, folder: Path) -> None:
    """Put into the corpus the least that reaches all that `folder` and it reach together."""
    with tempfile.TemporaryDirectory() as least:
        _engine(target, Path(least), folder, CORPUS / target, "-set_cover_merge=1", f"-max_total_time={MERGE_S}")
        shutil.rmtree(CORPUS / target)
        shutil.copytree(least, CORPUS / target)


def _engine(target: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:  # libFuzzer ends a process without its leave to tidy up
        return subprocess.run(
            [sys.executable, "-m", "fuzz.engine", target, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd=HERE.parent,
            env=os.environ | {"TMPDIR": scratch},
        )


if __name__ == "__main__":
    main()
