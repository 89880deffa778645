"""What may go wrong with one call of an operator's that lives on: refused, cut, or late."""

import asyncio
import json
from collections.abc import Callable, Sequence

from aiohttp import web

from chaos.gate import Exchange, Reply, Strike
from chaos.record import Call
from chaos.run import Fault, Run

LATE_S = 5


def at_call(call: Call, what: str) -> Fault:
    """What goes wrong, one of `possible(call)`, with the call of the same number."""
    number = call.number
    return Fault(name=f"{what} {number}", hits=lambda other: other.number == number, strike=MISHAPS[what])


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
