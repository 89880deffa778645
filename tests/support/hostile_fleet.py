"""97 bots, each strange or bad in its own way, swept again and again by the real prober.

`python -m support.hostile_fleet [--sweeps 1000]` prints figures and exits with 1 where anything was not as it must be.
The bots are a process of their own (`--serve`), so that only the prober is measured.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil

from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.registry import Bot, Pod
from healthheartbeat.core.verdict import Outcome, Verdict
from healthheartbeat.runtime.polling import Polls
from support.hostile import HostileServer
from support.plays import NEVER_END, NOW_MS, PLAYS, Peer, Play, with_length

BOTS: Final = 97
SLUG: Final = "s"
NEVER_ENDING_S: Final = 0.4
PATIENCE_S: Final = 30.0
"""For all that ends by itself: no verdict is to hang on how busy the machine is."""
OUR_STANDSTILL: Final = "our own event loop stood still"
WARM_SWEEPS: Final = 4
MOST_GROWTH_MIB: Final = 3
BODIES: Final[Mapping[MissReason, Mapping[str, bytes]]] = {
    MissReason.INVALID_BODY: {
        "slug_twice": b'{"slug": "s", "slug": "s", "status": "ok"}',
        "byte_order_mark": b'\xef\xbb\xbf{"slug": "s", "status": "ok"}',
        "comma_at_the_end": b'{"slug": "s", "status": "ok",}',
        "single_quotes": b"{'slug': 's', 'status': 'ok'}",
        "commented": b'{"slug": "s", "status": "ok"} // well',
        "two_objects": b'{"slug": "s", "status": "ok"}{"slug": "s", "status": "ok"}',
        "in_a_list": b'[{"slug": "s", "status": "ok"}]',
        "null": b"null",
        "slug_a_list": b'{"slug": ["s"], "status": "ok"}',
        "name_in_capitals": b'{"Slug": "s", "status": "ok"}',
        "status_true": b'{"slug": "s", "status": true}',
        "status_left_out": b'{"slug": "s"}',
        "decided_in_words": b'{"slug": "s", "status": "ok", "last_decision_ms": "just now"}',
        "control_character": b'{"slug": "s", "status": "ok", "note": "\x00"}',
    },
    MissReason.SLUG_MISMATCH: {
        "slug_in_capitals": b'{"slug": "S", "status": "ok"}',
        "slug_with_a_blank": b'{"slug": "s ", "status": "ok"}',
        "slug_that_looks_alike": b'{"slug": "\xd1\x95", "status": "ok"}',  # Cyrillic
    },
    MissReason.NOT_OK: {
        "status_in_capitals": b'{"slug": "s", "status": "OK"}',
    },
}


def _saying(content: bytes) -> Play:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(with_length(content))
        peer.hold()

    return play


FLEET: Final[Mapping[str, tuple[Play, MissReason | None]]] = {
    **PLAYS,
    **{name: (_saying(content), reason) for reason, said in BODIES.items() for name, content in said.items()},
}


@dataclass
class Seen:
    """What a run saw. `wrong`: what was said of whom, of verdicts that are not the play's.

    `excused`: polls whose deadline passed while our own loop stood still, of which decision 3 says Unknown.
    """

    sweeps_s: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    verdicts: int = 0
    excused: int = 0

    def broken(self) -> Iterator[str]:
        """Each promise that was broken, in words."""
        yield from self.wrong[:20]
        if self.excused:
            yield f"{self.excused} of {self.verdicts} verdicts excused, since our own loop stood still"
        if self.verdicts != len(self.sweeps_s) * BOTS:
            yield f"{self.verdicts} verdicts of {len(self.sweeps_s) * BOTS}"
        if max(self.sweeps_s) >= PATIENCE_S:
            yield f"a sweep took {max(self.sweeps_s):.1f} s: what never ends was not ended, or what floods not cut off"
        if self.growth_mib >= MOST_GROWTH_MIB:
            yield f"memory grew by {self.growth_mib:.1f} MiB"
        if self.descriptors[-1] > self.descriptors[0]:
            yield f"descriptors: {self.descriptors[0]}, and {self.descriptors[-1]} in the end"

    @property
    def growth_mib(self) -> float:
        """Memory at the end over that after the first sweeps."""
        return self.rss_mib[-1] - self.rss_mib[min(WARM_SWEEPS, len(self.rss_mib) - 1)]


@contextmanager
def fleet() -> Iterator[dict[str, int]]:
    """The bots in a process of their own; the port of each."""
    argv = [sys.executable, "-m", "support.hostile_fleet", "--serve"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bots:
        try:
            assert bots.stdout is not None
            yield json.loads(bots.stdout.readline())
        finally:
            bots.kill()


async def sweep(ports: Mapping[str, int], *, sweeps: int) -> Seen:
    """Sweep the fleet so often, all bots at once, and judge each verdict by its play."""
    seen, polls, process = Seen(), Polls(), psutil.Process()
    bots = [
        Bot(slug=name, service=name, path="/", pods=(Pod(uid=name, name=name, address="127.0.0.1", port=port),))
        for name, port in ports.items()
    ]

    def judged(name: str, verdicts: Mapping[str, Verdict]) -> None:
        verdict, reason = verdicts[name], FLEET[name][1]
        seen.verdicts += 1
        if verdict.outcome is Outcome.UNKNOWN and verdict.message.startswith(OUR_STANDSTILL):
            seen.excused += 1
        elif (verdict.outcome, verdict.reason) != (Outcome.HEALTHY if reason is None else Outcome.MISS, reason):
            seen.wrong.append(f"sweep {len(seen.sweeps_s) + 1}, {name}: {verdict}, expected {reason or 'healthy'}")

    for _ in range(sweeps):
        began_s = time.monotonic()
        await polls.run(bots, probe=_probe, judged=judged, max_in_flight=BOTS, may_start=lambda: True)
        seen.sweeps_s.append(time.monotonic() - began_s)
        seen.rss_mib.append(process.memory_info().rss / 2**20)
        seen.descriptors.append(process.num_fds())
    return seen


async def _probe(bot: Bot, pod: Pod) -> Verdict:
    target = Target(address=pod.address, port=pod.port, path="/internal/health/s", slug=SLUG)
    timeout_s = NEVER_ENDING_S if bot.slug in NEVER_END else PATIENCE_S
    return await probe(target, timeout_s=timeout_s, now_ms=lambda: NOW_MS)


def _serve() -> None:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(HostileServer(play, slug=SLUG)) for name, (play, _) in FLEET.items()}
        print(json.dumps({name: server.port for name, server in servers.items()}), flush=True)  # noqa: T201
        sys.stdin.read()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m support.hostile_fleet", description=__doc__)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--serve", action="store_true", help="be the bots, until standard input ends")
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    with fleet() as ports:
        seen = asyncio.run(sweep(ports, sweeps=options.sweeps))
    times = sorted(seen.sweeps_s)
    sys.stdout.write(
        f"{options.sweeps} sweeps of {len(ports)} bots, {seen.verdicts} verdicts, {len(seen.wrong)} of them wrong, "
        f"{seen.excused} Unknown since our own loop stood still\n"
        f"a sweep: median {times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s\n"
        f"memory: {seen.rss_mib[-1]:.1f} MiB, {seen.growth_mib:+.1f} MiB since sweep {WARM_SWEEPS}; "
        f"descriptors {seen.descriptors[0]}, {seen.descriptors[-1]} in the end\n"
    )
    broken = list(seen.broken())
    sys.stdout.write("".join(f"{each}\n" for each in broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
