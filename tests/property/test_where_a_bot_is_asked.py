"""No pod is deleted for what it missed when it was asked something else, or elsewhere.

Ports of the resource, Services, paths and EndpointSlices change and pods move, at any time and in the midst of
restarts; the real Sweeper with its Reader, Restarts and StatusWriter runs against a made cluster on virtual time.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from structlog.testing import capture_logs

from healthheartbeat.api.codes import MissReason
from healthheartbeat.core.verdict import Verdict
from support.fake_cluster import ADDRESS, FakeCluster
from support.made_world import MadeWorld
from support.network import Fate, Verb
from support.oracle import deleted_for_another
from support.questions import Question
from support.virtual_time import Clock, VirtualLoop

pytestmark = pytest.mark.timeout(900)  # where it fails, the shortest story is looked for

INTERVAL_S, THRESHOLD = 5, 2
"""A slow call of 4 s that follows a poll ends between the next sweep's read, a second ahead of it, and its polls."""
SLUG = "twin"
WELL = Verdict.healthy()
SICK = Verdict.miss(MissReason.HTTP_STATUS, "HTTP 503, expected 200")
NOBODYS_PORT = 9999

whiles = st.sampled_from([0, 10, 50, 50, 51, 100])
"""In tenths of a second; mostly for one sweep."""
wrong_places = st.sampled_from([("10.0.0.3", 8080), (ADDRESS, NOBODYS_PORT)])
changes = st.one_of(
    st.tuples(st.just("the resource names port"), st.sampled_from(["http", 8080, 8081, NOBODYS_PORT])),
    st.tuples(st.just("the resource names path"), st.sampled_from(["/internal/health/{slug}", "/health/{slug}"])),
    st.tuples(st.just("the Service leads to"), st.sampled_from([8080, 8081, "health", "admin", "nobody's"])),
    st.tuples(st.just("the Service selects release"), st.sampled_from(["1", "2"])),
    st.tuples(st.just("pods are at"), st.sampled_from([ADDRESS, "10.0.0.2"])),
    st.tuples(st.just("EndpointSlices say"), st.none() | wrong_places),
)


class Pointers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.cluster = FakeCluster(
            spec={
                "heartbeatIntervalSeconds": INTERVAL_S,
                "missedHeartbeatsToAlert": THRESHOLD,
                "restart": {"budget": 10, "windowSeconds": 60, "startupGraceSeconds": 0, "maxUnhealthyPercent": 100},
                "bots": [{"slug": SLUG}],
            }
        )
        self.cluster.deploy(SLUG)
        self.cluster.bots[SLUG].replicas = 2
        self.cluster.on_send = self.delete_is_sent
        self.worlds: list[MadeWorld] = []
        self.broken: list[str] = []
        self.exits = contextlib.ExitStack()
        self.logs = self.exits.enter_context(capture_logs())

    def do(self, story: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(story)

    @initialize()
    def begin(self) -> None:
        """All are well, and were seen so."""
        self.start()
        self.pass_time(10 * INTERVAL_S)

    def start(self) -> None:
        number = len(self.worlds) + 1

        async def story() -> None:
            clock = Clock(self.loop, booted_ms=7_000_000 * number)
            self.worlds.append(MadeWorld(self.cluster, holder=f"op-{number}", clock=clock))
            self.worlds[-1].start()

        self.do(story())

    # What may happen

    @rule(tenths=whiles)
    def pass_time(self, tenths: int) -> None:
        self.do(asyncio.sleep(tenths / 10))

    @rule(verdicts=st.tuples(*[st.sampled_from([WELL, SICK])] * 2), tenths=whiles)
    def pods_answer(self, verdicts: tuple[Verdict, ...], tenths: int) -> None:
        pods = [pod for pod in self.cluster.pods_of(SLUG) if not pod.terminating]
        for pod, verdict in zip(pods, verdicts, strict=False):
            pod.verdict = verdict
        self.pass_time(tenths)

    @rule(change=changes, tenths=whiles)
    def what_is_asked_changes(self, change: tuple[str, Any], tenths: int) -> None:
        service, (what, value) = self.cluster.bots[SLUG].service, change
        match what:
            case "the resource names port":
                self.cluster.set_spec(bots=[{"slug": SLUG, "port": value}])
            case "the resource names path":
                self.cluster.set_spec(probe={"path": value})
            case "the Service leads to":
                service.target_port = value
            case "the Service selects release":
                service.selector["release"] = value
            case "pods are at":
                for pod in self.cluster.pods_of(SLUG):
                    pod.address = value
            case "EndpointSlices say":
                for pod in self.cluster.pods_of(SLUG):
                    pod.listed_at = value
        self.pass_time(tenths)

    @rule(place=wrong_places, sweeps=st.integers(1, THRESHOLD))
    def endpoint_slices_are_wrong_for_a_while(self, place: tuple[str, int], sweeps: int) -> None:
        self.what_is_asked_changes(("EndpointSlices say", place), 10 * INTERVAL_S * sweeps)
        self.pods_answer((SICK, SICK), 0)
        self.what_is_asked_changes(("EndpointSlices say", None), 10 * INTERVAL_S)

    @rule(change=changes, tenths=whiles)
    def it_changes_while_a_restart_is_written_ahead(self, change: tuple[str, Any], tenths: int) -> None:
        """Which takes so long that the registry is read again meanwhile."""
        self.pods_answer((WELL, SICK), 0)
        self.do(self.cluster.network.next_call(Verb.LIST, timeout_s=3 * INTERVAL_S))
        self.cluster.doom(Verb.WRITE, Fate.SLOW)
        self.what_is_asked_changes(change, tenths)

    @rule(tenths=whiles)
    def a_process_ends_and_another_comes(self, tenths: int) -> None:
        self.do(self.worlds[-1].die())
        self.start()
        self.pass_time(tenths)

    # What must hold

    def delete_is_sent(self, slug: str, uid: str, sender: str) -> None:
        world = next(world for world in self.worlds if world.holder == sender)
        if world.misses_in_a_row[uid] < THRESHOLD:
            self.broken.append(f"{sender} deletes {uid} after {world.misses_in_a_row[uid]} misses of one question")
        proven: set[Question] = set().union(*(each.proven for each in self.worlds))
        self.broken += deleted_for_another(world, slug, uid, now_s=self.loop.time(), proven=proven)

    @invariant()
    def nothing_was_broken(self) -> None:
        assert not self.broken

    @invariant()
    def no_task_of_the_operator_fails(self) -> None:
        assert not [entry for entry in self.logs if entry["event"] == "OPERATOR_FAULT"]

    def teardown(self) -> None:
        event("DELETEs met", min(len(self.cluster.deletes), 5))
        event("questions", min(len(set().union(*(world.proven for world in self.worlds))), 5))
        try:
            self.do(self.worlds[-1].die())
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.do(asyncio.wait(left))
        finally:
            self.loop.close()
            self.exits.close()


TestWhereABotIsAsked = Pointers.TestCase
