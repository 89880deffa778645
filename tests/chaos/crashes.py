"""The three moments around a write at which an operator may be killed."""

from collections.abc import Callable

from aiohttp import web

from chaos.gate import Exchange, Strike
from chaos.run import Fault, Run, certain


def at_write(number: int, moment: str, *, of: int) -> Fault:
    """SIGKILL at write `number`, at a `moment` of MOMENTS; the undisturbed run made so many."""
    return Fault(
        name=f"{moment} {number}",
        certain=certain(number, of=of),
        hits=lambda call: call.write == number,
        strike=MOMENTS[moment],
    )


def at_first(kind: str, moment: str) -> Fault:
    """SIGKILL at the first write of a `kind`, at a `moment` of MOMENTS."""
    return Fault(name=f"{moment} the first", hits=lambda call: call.kind == kind, strike=MOMENTS[moment])


def _after(run: Run) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        response = await exchange.answer(await exchange.forward())
        run.kill(exchange.call.process)
        return response

    return strike


def _before_the_reply(run: Run) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        await exchange.forward()
        run.kill(exchange.call.process)
        return exchange.cut()

    return strike


def _before_it_arrived(run: Run) -> Strike:
    async def strike(exchange: Exchange) -> web.StreamResponse:
        run.kill(exchange.call.process)
        return exchange.cut()

    return strike


MOMENTS: dict[str, Callable[[Run], Strike]] = {
    "killed after the reply to write": _after,
    "killed before the reply to write": _before_the_reply,
    "killed before the arrival of write": _before_it_arrived,
}
