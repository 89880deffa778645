"""The watchdog and the API server: what it learns there, and its one write, at an API server made of a dictionary."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiUnavailable, Conflict, Forbidden, NotFound
from healthheartbeat.adapters.kube.kinds import Kind
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.core.deadman import Silence
from healthheartbeat.runtime.deadman import Deadman
from healthheartbeat.runtime.roll_call import RollCall
from support.reports import RESOURCE, beat, report
from support.virtual_time import Clock, run


class World:
    """Resources by namespace/name, and a watchdog that reads them. Where `fault` is set, every call raises it."""

    def __init__(self, *, namespaces: tuple[str, ...] | None = ("polytraders",)) -> None:
        self.clock = Clock(asyncio.get_running_loop())
        self.metrics = WatchdogMetrics()
        self.deadman = Deadman(PageBoard([], runbook_base=""), self.metrics, now=self.clock)
        self.roll_call = RollCall(self.deadman, self.metrics, namespaces=namespaces, kubeconfig=None, now=self.clock)
        self.resources: dict[str, dict[str, Any]] = {}
        self.fault: Exception | None = None
        self.hidden: set[str] = set()
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.version = 0

    async def list(self, _kind: Kind, namespace: str | None, *, page_size: int) -> tuple[dict[str, Any], ...]:
        assert page_size
        if self.fault:
            raise self.fault
        return tuple(
            found
            for key, found in self.resources.items()
            if namespace in (None, key.partition("/")[0]) and key not in self.hidden
        )

    async def get(self, _kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        if f"{namespace}/{name}" not in self.resources:
            raise NotFound(404, "NotFound", "it does not exist")
        return self.resources[f"{namespace}/{name}"]

    async def patch(
        self,
        _kind: Kind,
        namespace: str,
        name: str,
        body: Mapping[str, Any],
        *,
        subresource: str,
        content_type: str,
        query: Mapping[str, str],
    ) -> dict[str, Any]:
        found = await self.get(_kind, namespace, name)
        assert (subresource, content_type) == ("status", "application/apply-patch+yaml")
        assert query == {"fieldManager": "healthheartbeat-watchdog", "force": "true"}
        if body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed")
        self.patches.append((f"{namespace}/{name}", dict(body["status"])))
        applied = {one["type"] for one in body["status"]["conditions"]}
        others = [one for one in found["status"].get("conditions", []) if one["type"] not in applied]
        self.write(f"{namespace}/{name}", conditions=[*others, *body["status"]["conditions"]])
        return found

    def add(self, key: str = RESOURCE, *, interval_s: Any = 30, **status: Any) -> None:
        namespace, _, name = key.partition("/")
        self.resources[key] = {
            "metadata": {"namespace": namespace, "name": name, "generation": 4, "resourceVersion": "0"},
            "spec": {"heartbeatIntervalSeconds": interval_s, "missedHeartbeatsToAlert": 2},
            "status": status,
        }

    def write(self, key: str = RESOURCE, **status: Any) -> None:
        self.version += 1
        self.resources[key]["metadata"]["resourceVersion"] = str(self.version)
        self.resources[key]["status"] = self.resources[key]["status"] | status

    async def read(self) -> None:
        await self.roll_call.read(cast("KubeClient", self))

    async def reading_until(self, at_s: float) -> None:
        """Read as the roll call does by itself."""
        loop = asyncio.get_running_loop()
        rounds = asyncio.create_task(self.deadman.run())
        while loop.time() < at_s:
            self.deadman.silenced.clear()
            await self.read()
            await self.roll_call._pause()
        rounds.cancel()


KINDS = ("Ready", "BotsHealthy", "RegistryFresh", "RestartsAllowed")
READY = {"type": "Ready", "status": "True", "reason": "Sweeping", "lastTransitionTime": "2025-05-09T11:00:00Z"}
HEALTHY = {"type": "BotsHealthy", "status": "True", "reason": "AllAnswered"}


def test_a_resource_that_is_listed_is_expected_to_report() -> None:
    async def story() -> None:
        world = World()
        world.add()
        await world.read()
        (state,) = world.deadman.states
        assert (state.name, state.interval_ms, state.threshold, state.last) == (RESOURCE, 30_000, 2, None)
        await asyncio.sleep(61)
        assert world.deadman.silence(RESOURCE) is Silence.NEVER_REPORTED

    run(story())


def test_one_that_never_reported_to_us_may_be_swept_at_a_longer_interval_than_its_refused_spec_asks_for() -> None:
    async def story() -> None:
        world = World()
        world.add(interval_s=1, lastReport=report(7, interval_ms=60_000))
        await world.read()
        assert world.deadman.states[0].interval_ms == 60_000

    run(story())


@pytest.mark.parametrize("wrong", [None, "30", True, -1, [], 1.5])
def test_a_spec_that_cannot_be_read_counts_as_the_default(wrong: object) -> None:
    async def story() -> None:
        world = World()
        world.add(interval_s=wrong)
        await world.read()
        assert world.deadman.states[0].interval_ms == 30_000

    run(story())


def test_conditions_become_unknown_once_silence_and_the_status_agree_and_nothing_else_is_written() -> None:
    async def story() -> None:
        world = World()
        world.add(lastReport=report(7), conditions=[HEALTHY, READY])
        world.deadman.hear(beat(7), age_ms=0)
        await world.reading_until(64)
        assert world.deadman.silence(RESOURCE) is Silence.OVERDUE
        assert world.patches == []
        await world.reading_until(67)
        ((key, status),) = world.patches
        assert key == RESOURCE
        assert list(status) == ["conditions"]
        assert [(one["type"], one["status"], one["reason"]) for one in status["conditions"]] == [
            (kind, "Unknown", "HEALTH_HEARTBEAT_SILENT") for kind in KINDS
        ]
        assert {one["observedGeneration"] for one in status["conditions"]} == {4}
        await world.reading_until(300)
        assert len(world.patches) == 1

    run(story())


def test_a_status_that_is_refreshed_keeps_its_ready_though_no_report_arrives_here() -> None:
    async def story() -> None:
        world = World()
        world.add(conditions=[READY])
        world.deadman.hear(beat(1), age_ms=0)
        for sequence in range(2, 10):
            world.write(lastReport=report(sequence))
            await world.reading_until(30 * sequence)
        assert world.deadman.silence(RESOURCE) is Silence.OVERDUE
        assert world.patches == []

    run(story())


def test_where_reports_arrive_and_nobody_writes_them_the_conditions_become_unknown_too() -> None:
    async def story() -> None:
        world = World()
        world.add(lastReport=report(1), conditions=[READY, HEALTHY])
        for sequence in range(1, 10):
            world.deadman.hear(beat(sequence), age_ms=0)
            await world.reading_until(30 * sequence)
            assert bool(world.patches) == (sequence > 4), "longer than any takeover, and no longer than it must be"
        ((_, status),) = world.patches
        assert {(one["type"], one["status"], one["reason"]) for one in status["conditions"]} == {
            (kind, "Unknown", "StatusNotWritten") for kind in KINDS
        }
        assert "since the one of 2025-05-09T12:00:30Z" in status["conditions"][0]["message"]

    run(story())


def test_one_that_is_written_again_is_left_to_whoever_writes_it() -> None:
    async def story() -> None:
        world = World()
        world.add(conditions=[READY, HEALTHY])
        for sequence in range(1, 5):
            world.deadman.hear(beat(sequence), age_ms=0)
            await world.reading_until(30 * sequence)
        assert len(world.patches) == 1
        assert "none was ever" in world.patches[0][1]["conditions"][0]["message"]
        for sequence in range(5, 12):
            world.deadman.hear(beat(sequence), age_ms=0)
            world.write(lastReport=report(sequence), conditions=[READY, HEALTHY])
            await world.reading_until(30 * sequence)
        assert len(world.patches) == 1

    run(story())


def test_an_outage_of_the_api_server_alone_leaves_the_conditions_to_the_operator_that_comes_back() -> None:
    async def story() -> None:
        world = World()
        world.add(lastReport=report(1), conditions=[READY])
        for sequence in range(1, 20):
            world.deadman.hear(beat(sequence), age_ms=0)
            world.fault = ApiUnavailable(0, "Unavailable", "no answer") if 1 < sequence < 18 else None
            await world.reading_until(30 * sequence - 1)
            if sequence == 18:
                world.write(lastReport=report(sequence))
        assert world.patches == []

    run(story())


def test_the_word_of_an_earlier_watchdog_that_changed_ready_alone_is_made_whole() -> None:
    async def story() -> None:
        world = World()
        told = READY | {"status": "Unknown", "reason": "HEALTH_HEARTBEAT_SILENT"}
        world.add(conditions=[told, HEALTHY])
        await world.reading_until(80)
        assert len(world.patches) == 1
        conditions = {one["type"]: one for one in world.resources[RESOURCE]["status"]["conditions"]}
        assert conditions["BotsHealthy"]["status"] == "Unknown"
        assert conditions["Ready"]["lastTransitionTime"] == READY["lastTransitionTime"]

    run(story())


def test_a_write_that_somebody_overtook_is_decided_again() -> None:
    async def story() -> None:
        world = World()
        world.add(lastReport=report(7), conditions=[READY])
        world.deadman.hear(beat(7), age_ms=0)
        await world.reading_until(60)
        listed = dict(world.resources[RESOURCE], metadata=dict(world.resources[RESOURCE]["metadata"]))
        world.write(observedGeneration=4)
        await asyncio.sleep(10)
        await world.roll_call._take(cast("KubeClient", world), listed, world.clock())
        assert world.patches == []
        await world.reading_until(80)
        assert len(world.patches) == 1

    run(story())


def test_one_that_was_never_swept_and_one_that_is_gone_meanwhile() -> None:
    async def story() -> None:
        world = World()
        world.add()
        await world.reading_until(70)
        assert len(world.patches) == 1
        listed = dict(world.resources[RESOURCE], status={})
        del world.resources[RESOURCE]
        await world.roll_call._take(cast("KubeClient", world), listed, world.clock())
        assert len(world.patches) == 1

    run(story())


def test_a_definite_404_is_a_deletion_and_a_list_that_lacks_it_is_none() -> None:
    async def story() -> None:
        world = World()
        world.add()
        await world.read()
        world.hidden.add(RESOURCE)
        await world.read()
        assert not world.deadman.states[0].deleted
        del world.resources[RESOURCE]
        await world.read()
        assert world.deadman.states[0].deleted

    run(story())


def test_a_resource_of_another_namespace_is_none_of_its_business() -> None:
    async def story() -> None:
        world = World()
        world.deadman.hear(beat(1, resource="elsewhere/production"), age_ms=0)
        await world.read()
        assert not world.deadman.states[0].deleted
        everywhere = World(namespaces=None)
        everywhere.deadman.hear(beat(1, resource="elsewhere/production"), age_ms=0)
        await everywhere.read()
        assert everywhere.deadman.states[0].deleted

    run(story())


@pytest.mark.parametrize(
    "fault", [ApiUnavailable(0, "Unavailable", "no answer"), Forbidden(403, "Forbidden", "see the Role")]
)
def test_an_api_server_that_is_away_or_refuses_changes_nothing_and_is_said(fault: Exception) -> None:
    async def story() -> None:
        world = World()
        world.add()
        world.deadman.hear(beat(1), age_ms=0)
        await world.read()
        world.fault = fault
        await world.read()
        await world.read()
        assert world.roll_call.problem == str(fault)
        assert b"watchdog_api_up 0.0" in world.metrics.exposition()
        assert not world.deadman.states[0].deleted
        world.fault = None
        await world.read()
        assert world.roll_call.problem == ""
        assert b"watchdog_api_up 1.0" in world.metrics.exposition()

    run(story())


def test_resources_beyond_those_that_can_be_watched_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr("healthheartbeat.runtime.deadman.MAX_RESOURCES", 1)
        world = World()
        world.add("polytraders/a")
        world.add("polytraders/b")
        await world.read()
        assert [state.name for state in world.deadman.states] == ["polytraders/a"]

    run(story())
