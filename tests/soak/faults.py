"""Which bot fails when, how and for how long: at random, and the same again by the same seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["killed", "frozen"]
LENGTHS_S: Final = (((0.3, 1.5), 0.6), ((5.0, 8.0), 0.3), ((25.0, 40.0), 0.1))
"""Too short to be paged about, long enough for a restart or two, long enough to spend a budget; with their shares."""
REST_S: Final = 10.0
"""A bot is left in peace for so long after it failed, so that each failure is a story of its own."""
EVERY_S: Final = 3.0
FIRST_ROUND: Final = 0.2
"""In this share of the time every bot fails once, for long enough to be restarted where there is time for that: what
grows with that is no leak.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """Times are seconds from the beginning. Killed: SIGKILL, and started again later; frozen: SIGSTOP, then SIGCONT."""

    slug: str
    kind: Kind
    at_s: float
    lasts_s: float

    @property
    def ends_s(self) -> float:
        """When it is well again, but for the time to start."""
        return self.at_s + self.lasts_s


def plan(slugs: Sequence[str], *, seed: int, lasting_s: float) -> Iterator[Fault]:
    """Faults in order of their beginning; all have ended by `lasting_s`."""
    chance = random.Random(seed)
    free_s = dict.fromkeys(slugs, 0.0)
    first = list(slugs)
    chance.shuffle(first)
    pause_s = FIRST_ROUND * lasting_s / len(first)
    for number, slug in enumerate(first):
        length = _length(chance) if pause_s >= EVERY_S else LENGTHS_S[0][0]
        fault = Fault(slug, _kind(chance), number * pause_s, chance.uniform(*length))
        free_s[slug] = fault.ends_s + REST_S
        yield fault
    now_s = FIRST_ROUND * lasting_s
    while (now_s := now_s + chance.expovariate(1 / EVERY_S)) < lasting_s:
        rested = sorted(slug for slug in slugs if free_s[slug] <= now_s)
        if not rested:
            continue
        slug = chance.choice(rested)
        fault = Fault(slug, _kind(chance), now_s, chance.uniform(*_length(chance)))
        if fault.ends_s < lasting_s:
            free_s[slug] = fault.ends_s + REST_S
            yield fault


def _length(chance: random.Random) -> tuple[float, float]:
    (bounds,) = chance.choices([bounds for bounds, _ in LENGTHS_S], [share for _, share in LENGTHS_S])
    return bounds


def _kind(chance: random.Random) -> Kind:
    return "killed" if chance.random() < 0.7 else "frozen"
