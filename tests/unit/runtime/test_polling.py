"""One sweep's polls: so many at once, deferred ones first, nobody starves (decision 5, seed section 21)."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from structlog.typing import EventDict

from healthheartbeat.core.registry import Bot, Pod
from healthheartbeat.core.verdict import Outcome, Verdict
from healthheartbeat.runtime.polling import Polls
from support.examples import SICK, WELL, bot


class Sweeps:
    """Sweeps of one Polls, in which every probe takes a second. `order`: UIDs as they were polled."""

    def __init__(self) -> None:
        self.polls = Polls()
        self.order: list[str] = []
        self.begun_s: list[float] = []
        self.judged: list[tuple[float, str, Mapping[str, Verdict]]] = []
        self.in_flight = self.most_in_flight = 0
        self.faulty: set[str] = set()
        self.verdict = WELL

    async def pass_over(
        self, bots: Iterable[Bot], *, max_in_flight: int = 97, within_s: float = 1000.0, spread_s: float = 0.0
    ) -> None:
        loop = asyncio.get_running_loop()
        self.order, self.begun_s, self.judged, self.most_in_flight = [], [], [], 0
        start_s = loop.time()

        async def probe(of: Bot, pod: Pod) -> Verdict:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.order.append(pod.uid)
            self.begun_s.append(loop.time() - start_s)
            try:
                await asyncio.sleep(1)
                if of.slug in self.faulty:
                    raise ZeroDivisionError("a fault of ours")
            finally:
                self.in_flight -= 1
            return self.verdict

        await self.polls.run(
            bots,
            probe=probe,
            judged=lambda slug, verdicts: self.judged.append((loop.time() - start_s, slug, dict(verdicts))),
            max_in_flight=max_in_flight,
            may_start=lambda: loop.time() - start_s < within_s,
            spread_s=spread_s,
        )

    def outcomes(self) -> dict[str, list[Outcome]]:
        return {slug: [verdict.outcome for verdict in verdicts.values()] for _, slug, verdicts in self.judged}


def fleet(number: int) -> list[Bot]:
    return [bot(f"bot{index:02}") for index in range(number)]


async def test_every_bot_is_judged_once() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over([*fleet(10), bot("twins", "one", "two"), bot("empty", pods=())])
    assert sorted(slug for _, slug, _ in sweeps.judged) == sorted(
        [*(f"bot{n:02}" for n in range(10)), "twins", "empty"]
    )
    assert sweeps.outcomes()["twins"] == [Outcome.HEALTHY, Outcome.HEALTHY]
    assert sweeps.outcomes()["empty"] == []


async def test_all_are_polled_at_once_up_to_the_cap() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over(fleet(97))
    assert sweeps.most_in_flight == 97
    assert {at_s for at_s, _, _ in sweeps.judged} == {1.0}
    await sweeps.pass_over(fleet(10), max_in_flight=4)
    assert sweeps.most_in_flight == 4
    assert [at_s for at_s, _, _ in sweeps.judged] == [1.0] * 4 + [2.0] * 4 + [3.0] * 2


async def test_a_verdict_is_handed_over_as_soon_as_its_bots_last_pod_was_polled() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over([bot("twins", "one", "two"), bot("single")], max_in_flight=1)
    assert [(at_s, slug) for at_s, slug, _ in sweeps.judged] == [(2.0, "twins"), (3.0, "single")]


async def test_what_was_not_started_in_time_is_handed_over_empty_and_first_in_the_next_sweep() -> None:
    sweeps = Sweeps()
    bots = fleet(5)
    await sweeps.pass_over(bots, max_in_flight=2, within_s=1.5)
    assert sweeps.order == ["bot00", "bot01", "bot02", "bot03"]
    assert sweeps.outcomes()["bot04"] == []
    await sweeps.pass_over(bots, max_in_flight=2, within_s=0.5)
    assert sweeps.order == ["bot04", "bot00"]


async def test_nobody_starves_however_little_time_there_is() -> None:
    sweeps = Sweeps()
    bots = fleet(7)
    polled: list[str] = []
    for _ in range(4):
        await sweeps.pass_over(bots, max_in_flight=2, within_s=0.5)
        polled += sweeps.order
    assert len(set(polled)) == 7


async def test_a_bot_polled_in_part_is_judged_by_all_its_pods_in_the_next_sweep() -> None:
    sweeps = Sweeps()
    bots = [bot("single"), bot("twins", "one", "two"), *fleet(3)]
    await sweeps.pass_over(bots, max_in_flight=1, within_s=1.5)
    assert sweeps.outcomes()["twins"] == [Outcome.HEALTHY]
    await sweeps.pass_over(bots, max_in_flight=1, within_s=4.5)
    assert set(sweeps.order[:2]) <= {"two", "bot00", "bot01", "bot02"}
    assert sweeps.order[0] == "two"
    assert len(sweeps.outcomes()["twins"]) == 2


async def test_a_pod_that_has_gone_no_longer_waits_for_its_turn() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over(fleet(3), max_in_flight=1, within_s=0.5)
    await sweeps.pass_over(fleet(1))
    assert sweeps.order == ["bot00"]


async def test_a_pod_behind_two_services_is_polled_for_each_and_both_bots_are_judged() -> None:
    sweeps = Sweeps()
    sweeps.verdict = SICK
    await sweeps.pass_over([bot("a", "shared"), bot("b", "shared")], max_in_flight=1)
    assert sweeps.outcomes() == {"a": [Outcome.MISS], "b": [Outcome.MISS]}
    await sweeps.pass_over([bot("a", "shared"), bot("b", "shared")], max_in_flight=1, within_s=0.5)
    assert sweeps.outcomes() == {"a": [Outcome.MISS], "b": []}
    await sweeps.pass_over([bot("a", "shared"), bot("b", "shared")], max_in_flight=1, within_s=0.5)
    assert sweeps.outcomes() == {"a": [], "b": [Outcome.MISS]}


async def test_a_probe_that_raises_costs_one_unknown_and_nobody_else(logs: list[EventDict]) -> None:
    sweeps = Sweeps()
    sweeps.faulty = {"bot01"}
    await sweeps.pass_over(fleet(3))
    assert sweeps.outcomes() == {"bot00": [Outcome.HEALTHY], "bot01": [Outcome.UNKNOWN], "bot02": [Outcome.HEALTHY]}
    assert [entry["slug"] for entry in logs if entry["log_level"] == "error"] == ["bot01"]


async def test_an_empty_registry_is_no_trouble() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over([])
    assert sweeps.judged == []


async def test_probes_that_have_their_answer_at_once_leave_turns_to_everybody_else() -> None:
    turns = 0

    async def refused(_of: Bot, _pod: Pod) -> Verdict:
        return SICK

    async def everybody_else() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    others = asyncio.create_task(everybody_else())
    await asyncio.sleep(0)
    await Polls().run(fleet(320), probe=refused, judged=lambda *_: None, max_in_flight=16, may_start=lambda: True)
    others.cancel()
    assert turns >= 320 // 16 - 1


# Spread over the interval (probe.spread)


async def test_spread_polls_begin_evenly_spaced_and_each_is_judged_when_it_has_answered() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over(fleet(10), spread_s=20.0)
    assert sweeps.begun_s == pytest.approx([2.0 * number for number in range(10)])
    assert [at_s for at_s, _, _ in sweeps.judged] == pytest.approx([2.0 * number + 1 for number in range(10)])
    assert sweeps.most_in_flight == 1


async def test_spread_polls_that_are_close_to_each_other_begin_in_groups_as_evenly_spaced() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over(fleet(60), spread_s=1.2, max_in_flight=60)  # 20 ms apart: two to a slot of 50
    assert sweeps.begun_s == pytest.approx([0.04 * (number // 2) for number in range(60)])


async def test_spread_polls_wait_for_their_turn_where_as_many_as_may_are_under_way() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over(fleet(10), spread_s=1.0, max_in_flight=2)
    assert sweeps.most_in_flight == 2
    assert sweeps.begun_s == pytest.approx([0.0, 0.1, 1.0, 1.1, 2.0, 2.1, 3.0, 3.1, 4.0, 4.1])


async def test_spread_polls_whose_time_did_not_come_go_first_in_the_next_sweep() -> None:
    sweeps = Sweeps()
    await sweeps.pass_over(fleet(6), spread_s=1.0, max_in_flight=2, within_s=1.5)
    assert sweeps.order == ["bot00", "bot01", "bot02", "bot03"]
    await sweeps.pass_over(fleet(6), spread_s=12.0)
    assert sweeps.order[:2] == ["bot04", "bot05"]
