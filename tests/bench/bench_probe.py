"""CPU per probe: ours beside its peers in one run. `python tests/bench/bench_probe.py [--rounds N] [--sweeps N]`.

The bots are another process (`healthheartbeat bot`); what is measured is the user and system time of this process, so
the kernel's work on our connections is in it. Each round measures every prober once, in turn; ratios are taken within a
round, since the machine's mood changes from one to the next. Medians, with the smallest and the largest.
"""

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import httptools
import uvloop

from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.core.verdict import Verdict, judge

IN_FLIGHT = 97
TIMEOUT_S = 10.0

Prober = Callable[[Target], Awaitable[Verdict]]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def ours() -> AsyncIterator[Prober]:
    yield lambda target: probe(target, timeout_s=TIMEOUT_S, now_ms=now_ms)


class BareProtocol(asyncio.Protocol):
    """The least that gets an answer through a transport and httptools: nothing is bounded, no failure is told apart."""

    def __init__(self, target: Target, answer: "asyncio.Future[bytes]") -> None:
        self._request = f"GET {target.path} HTTP/1.1\r\nHost: {target.address}\r\nConnection: close\r\n\r\n".encode()
        self._answer = answer
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._answer.set_result(self._body)


def _judged(target: Target, status: int, body: bytes, encoding: str | None) -> Verdict:
    return judge(
        slug=target.slug,
        status=status,
        body=body,
        content_encoding=encoding,
        now_ms=now_ms(),
        max_decision_age_s=target.max_decision_age_s,
    )


@asynccontextmanager
async def bare_protocol() -> AsyncIterator[Prober]:
    loop = asyncio.get_running_loop()

    async def one(target: Target) -> Verdict:
        answer: asyncio.Future[bytes] = loop.create_future()
        deadline = loop.call_later(TIMEOUT_S, answer.cancel)
        transport, _ = await loop.create_connection(lambda: BareProtocol(target, answer), target.address, target.port)
        try:
            return _judged(target, 200, await answer, None)
        finally:
            deadline.cancel()
            transport.abort()

    yield one


@asynccontextmanager
async def aiohttp_client() -> AsyncIterator[Prober]:
    """The same check with aiohttp, as one would write it: capped body, no redirects or encoding, fresh connections."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, ceil_threshold=TIMEOUT_S + 1)
    headers = {"Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=headers,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:

        async def one(target: Target) -> Verdict:
            url = f"http://{target.address}:{target.port}{target.path}"
            async with session.get(url, allow_redirects=False) as response:
                body = await response.content.read(65537)
                return _judged(target, response.status, body, response.headers.get("Content-Encoding"))

        yield one


PROBERS: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Prober]]] = {
    "ours": ours,
    "bare protocol": bare_protocol,
    "aiohttp": aiohttp_client,
}


def _target(number: int, *, port: int) -> Target:
    slug = f"bench.bot-{number}"
    return Target(address="127.0.0.1", port=port, path=f"/internal/health/{slug}", slug=slug)


@contextmanager
def bots(count: int) -> Iterator[list[Target]]:
    """Serve `count` healthy bots in one process; yields their targets."""
    program = [sys.executable, "-m", "healthheartbeat.cli.bot", "--slug", "bench.bot-{n}", "--bind", "127.0.0.1"]
    for first in range(20_000, 60_000, 1_000):  # below the ports that the kernel hands out, mostly
        flags = ["--port", str(first), "--count", str(count)]
        with subprocess.Popen(
            [*program, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None
            if re.match("listening", server.stdout.readline()):
                try:
                    yield [_target(n, port=first + n) for n in range(count)]
                finally:
                    server.kill()
                return
    raise SystemExit("no free ports for the bots")


async def cpu_us_per_probe(prober: str, targets: list[Target], *, sweeps: int) -> float:
    """Sweep all targets at once, `sweeps` times; return µs of this process's CPU per probe. All must be healthy."""
    async with PROBERS[prober]() as one:
        await asyncio.gather(*(one(target) for target in targets))  # warm
        began_s = time.process_time()
        for _ in range(sweeps):
            verdicts = await asyncio.gather(*(one(target) for target in targets))
            if set(verdicts) != {Verdict.healthy()}:
                raise SystemExit(f"{prober}: {set(verdicts)}")
        return (time.process_time() - began_s) * 1e6 / (sweeps * len(targets))


def measure(*, rounds: int, sweeps: int) -> dict[str, dict[str, float]]:
    """Return, by prober, CPU per probe (µs: median, least, most) and the median of its ratio to ours within a round."""
    seen: dict[str, list[float]] = {prober: [] for prober in PROBERS}
    with bots(IN_FLIGHT) as targets, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(rounds):
            for prober in PROBERS:
                seen[prober].append(runner.run(cpu_us_per_probe(prober, targets, sweeps=sweeps)))
    return {
        prober: {
            "median_us": statistics.median(values),
            "least_us": min(values),
            "most_us": max(values),
            "ours_ratio": statistics.median(own / value for own, value in zip(seen["ours"], values, strict=True)),
        }
        for prober, values in seen.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per probe, beside peers.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    results = measure(rounds=options.rounds, sweeps=options.sweeps)
    sys.stdout.write((json.dumps(results) if options.json else table(results, rounds=options.rounds)) + "\n")


def table(results: dict[str, dict[str, float]], *, rounds: int) -> str:
    """Lay the figures out for people."""
    lines = [
        f"CPU per probe, {IN_FLIGHT} in flight, fresh connection, body read and judged, uvloop; {rounds} rounds",
        f"{'prober':<16}{'median µs':>10}{'least':>8}{'most':>8}{'ours is':>10}",
    ]
    for prober, row in results.items():
        figures = f"{row['median_us']:>10.1f}{row['least_us']:>8.1f}{row['most_us']:>8.1f}{row['ours_ratio']:>8.2f} x"
        lines.append(f"{prober:<16}{figures}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
