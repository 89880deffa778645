"""`python -m soak`: 97 bots that die at random for an hour. Nothing may grow, drift or be forgotten.

Exit code 0: all of it held; 1: something did not; 2: the place itself failed.
"""

import argparse
import dataclasses
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness import packages
from harness.packages import MissingPackagesError
from harness.processes import CommandFailedError, DeadlinePassedError
from harness.supervision import ComponentFailedError
from soak import faults, figures, oracles, stage
from soak.figures import Growth, Lateness

PLACE_FAILED: Final = 2
SHOWN: Final = 5
"""So many words of an oracle are told; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole soak. `violations`: by oracle."""

    minutes: float
    seed: int
    faults: int
    restarts: int
    lateness: Lateness
    growths: list[Growth]
    slope_mib_per_hour: float
    violations: dict[str, list[str]]

    @property
    def holds(self) -> bool:
        """Whether all that was promised did."""
        return (
            self.lateness.holds and all(growth.holds for growth in self.growths) and not any(self.violations.values())
        )

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"holds": self.holds, **dataclasses.asdict(self)}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = random.randrange(2**32) if options.seed is None else options.seed
    say = _complain if options.output == "json" else _tell
    say(f"{oracles.BOTS} bots, a sweep every {stage.INTERVAL_S} s for {options.minutes:g} min; --seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="healthheartbeat-soak-"))
    try:
        packages.ensure(packages.APISERVER | packages.ALERTS, say)
        outcome = soak(folder, minutes=options.minutes, seed=seed, say=say)
    except (CommandFailedError, ComponentFailedError, DeadlinePassedError, MissingPackagesError) as error:
        _complain(f"soak: {error}\nlogs: {folder}")
        return PLACE_FAILED
    _tell(json.dumps(outcome.to_dict(), indent=2) if options.output == "json" else table(outcome))
    if outcome.holds:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    _complain(f"not all of it held; logs: {folder}")
    return 1


def soak(folder: Path, *, minutes: float, seed: int, say: stage.Say) -> Outcome:
    """From the beginning to the end."""
    lasting_s = minutes * 60
    with stage.staged(folder, say=say) as staged:
        plan = faults.plan(stage.SLUGS, seed=seed, lasting_s=lasting_s)
        stage.run(staged, plan, lasting_s=lasting_s, say=say, every_s=min(60.0, lasting_s / 10))
        code = staged.operator.process.stop()
    (folder / "story.json").write_text(json.dumps(dataclasses.asdict(staged.story), default=list))
    violations = {oracle.__name__.replace("_", " "): list(oracle(staged.story)) for oracle in oracles.ORACLES}
    violations["the operator ends in good order"] = [] if code == 0 else [f"exit code {code}"]
    samples = staged.samples
    return Outcome(
        minutes=minutes,
        seed=seed,
        faults=len(staged.story.faults),
        restarts=len(staged.story.deletes),
        lateness=figures.lateness(staged.story.reports, staged.story.interval_ms),
        growths=[growth for name, found in samples.items() for growth in figures.growths(found, of=name)],
        slope_mib_per_hour=figures.slope_mib_per_hour(samples["operator"]),
        violations=violations,
    )


def table(outcome: Outcome) -> str:
    """As docs/reliability.md has it."""
    late = outcome.lateness
    rows = [
        ("sweeps, and ticks left out", f"{late.sweeps}, {late.left_out}", "none left out"),
        ("faults injected, restarts made", f"{outcome.faults}, {outcome.restarts}", ""),
        ("start of a sweep after its time, mean", f"{late.mean_ms:.1f} ms", "under 10 ms"),
        ("the same, 99 of 100 sweeps", f"{late.p99_ms:.1f} ms", "under 10 ms"),
        ("the same, the worst", f"{late.max_ms:.0f} ms", ""),
        ("drift: last tenth against the first", f"{late.drift_ms:+.1f} ms", ""),
        *(
            (
                f"{growth.name}, then and at the end",
                f"{growth.early:.4g}, {growth.late:.4g} {growth.unit}".rstrip(),
                f"at most {growth.limit:g} more",
            )
            for growth in outcome.growths
        ),
        ("operator: memory's slope", f"{outcome.slope_mib_per_hour:+.2f} MiB/h", ""),
    ]
    lines = ["| What | Seen | Promised |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows), ""]
    for name, words in outcome.violations.items():
        lines.append(f"{'does NOT hold' if words else 'holds'}: {name}")
        lines += [f"    {each}" for each in words[:SHOWN]]
        lines += [f"    and {len(words) - SHOWN} more"] if len(words) > SHOWN else []
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long bots are broken for [60]")
    parser.add_argument("--seed", type=int, help="of the faults, to play the same ones again [a random one, printed]")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: for programs [text]")
    return parser


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is what it is for


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
