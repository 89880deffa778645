"""What may go wrong with one call of an operator's that lives on: refused, cut, or late."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence

from aiohttp import web

from chaos.gate import Exchange, Reply, Strike
from chaos.record import Call
from chaos.run import Fault, Run, certain, nth

LATE_S = 5
DELETES = "DELETE pods"
"""Every run makes as many of them."""


def at_calls(calls: Sequence[Call]) -> list[Fault]:
    """All that may go wrong with each of the calls of an undisturbed run."""
    made = Counter(call.kind for call in calls)
    count: Counter[str] = Counter()
    faults = []
    for call in calls:
        count[call.kind] += 1
        number, kind = count[call.kind], call.kind
        sure = kind == DELETES or certain(number, of=made[kind])
        faults += [_at_nth(kind, number, what, sure=sure) for what in possible(call)]
    return faults


def at_firsts() -> list[Fault]:
    """All that may go wrong with the first DELETE, and one thing each with the first of the other kinds."""
    others = (("PUT healthheartbeats/status", CONFLICT), ("POST events", CUT), ("GET endpointslices", LATE))
    return [_at_nth(kind, 1, what, sure=True) for kind, what in (*((DELETES, what) for what in MISHAPS), *others)]


def _at_nth(kind: str, number: int, what: str, *, sure: bool) -> Fault:
    """What goes wrong with the call of that number of a `kind`."""
    hits = nth(number, lambda call: call.kind == kind)
    return Fault(name=f"{what} {number} of {kind}", certain=sure, hits=hits, strike=MISHAPS[what])


def possible(call: Call) -> Sequence[str]:
    """What may go wrong with a call: only a write conflicts, and a watch has no end to be cut or late at."""
    return [
        what for what in MISHAPS if not ((what in WRITES_ONLY and not call.write) or (what in ENDING and call.watch))
    ]


def _refused(code: int, reason: str, **headers: str) -> Callable[[Run], Strike]:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": "chaos",
    }
    reply = Reply(code, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())

    async def strike(exchange: Exchange) -> web.StreamResponse:
        return await exchange.answer(reply)

    return lambda _run: strike


async def _cut(exchange: Exchange) -> web.StreamResponse:
    return await exchange.answer_half(await exchange.forward())


async def _late(exchange: Exchange) -> web.StreamResponse:
    reply = await exchange.forward()
    await asyncio.sleep(LATE_S)
    return await exchange.answer(reply)


CONFLICT, CUT, LATE = "409 to call", "done, and cut in the answer to call", f"done, and {LATE_S} s late with call"
WRITES_ONLY, ENDING = {CONFLICT}, {CUT, LATE}
MISHAPS: dict[str, Callable[[Run], Strike]] = {
    CONFLICT: _refused(409, "Conflict"),
    "429 to call": _refused(429, "TooManyRequests", **{"Retry-After": "1"}),
    "500 to call": _refused(500, "InternalError"),
    CUT: lambda _run: _cut,
    LATE: lambda _run: _late,
}
