"""Whatever a resource was before, it is watched as by a fresh process: as its spec says now, or the last good one said.

The real reading, config load and registry, over HTTP from a made API server: nothing kept from an earlier spec counts.
Each reader has a namespace of its own name, in which all is the same, so that nothing kept by name is shared.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.api.config import Config
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.registry import Bot
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.source import Source
from healthheartbeat.runtime.watch import Watch
from support.fake_api import Request, reply, running
from support.objects import endpoint, endpoint_slice, resource, service
from support.random_specs import SPECS, broken_by_one_field, operator_says, service_of

SHARED = {"bots": [{"slug": "a.b"}, {"slug": "a-b"}]}
LABELLED = {"matchLabels": {"app": "bot"}}
SELECTING = SPECS.map(lambda spec: spec | {"botSelector": LABELLED})
ANYTHING = SPECS | SELECTING | broken_by_one_field() | st.just(SHARED)
NUMBERS = count(1)
Told = tuple[Policy, dict[str, Bot], Config | None]

pytestmark = pytest.mark.timeout(900)


class Namespace:
    """One resource, and a Service with a pod for each bot that it, or its botSelector, names."""

    def __init__(self) -> None:
        self.spec: Any = {}
        self.generation = 0
        self.services: set[str] = set()

    def set(self, spec: Any) -> None:
        """Change the spec; Services are made for what it names, and those of another spec go, if it is good."""
        self.spec, self.generation = spec, self.generation + 1
        if operator_says(spec) is None:
            self.services = {service_of(bot) for bot in spec.get("bots") or ()}  # null is as good as absent

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        named = self.services
        slices = [endpoint_slice(name, endpoint(f"pod-{name}", "10.0.0.1")) for name in sorted(named | {"labelled"})]
        labelled = service("labelled", labels={"app": "bot"})
        namespace, _, path = request.path.partition("/namespaces/")[2].partition("/")
        body: dict[str, Any] = {
            "healthheartbeats/production": resource() | {"spec": self.spec},
            "healthheartbeats": {"items": []},
            "services": {"items": [*(service(name) for name in sorted(named)), labelled]},
            "endpointslices": {"items": slices},
            "configmaps/kill-switch": {"data": {"active": "false"}},
        }[path]
        if "spec" in body:
            body["metadata"]["generation"] = self.generation
        for item in (body, *body.get("items", ())):
            item.setdefault("metadata", {})["namespace"] = namespace
            for each in item.get("endpoints", ()):
                each["targetRef"]["namespace"] = namespace
        return await reply(200, body)(request, writer)


class Process:
    """One operator process, as far as it reads: what it goes by after each reading."""

    def __init__(self, client: KubeClient) -> None:
        self.namespace = f"namespace-{next(NUMBERS)}"
        self.source = Source(client, now=system_clock)
        self.watch = Watch(ResourceLedger(f"{self.namespace}/production"), stale_after_ms=300_000)
        self.last: Config | None = None

    async def read(self) -> Told:
        reading = await self.source.read(self.namespace, "production", self.last)
        self.watch.take(reading)
        if reading.refusal is None:
            self.last = reading.config
        return self.watch.policy, dict(reading.registry.bots), reading.config


def played(story: Callable[[Namespace, KubeClient], Awaitable[None]]) -> None:
    async def play() -> None:
        namespace = Namespace()
        with tempfile.TemporaryDirectory() as folder:
            async with running(Path(folder)) as api:
                api.default = namespace.answer
                async with api.client() as client:
                    await story(namespace, client)

    asyncio.run(play())


@given(changes=st.lists(ANYTHING, max_size=5), last=SPECS | SELECTING)
@example(changes=[{"bots": None}], last={})
def test_changes_end_where_a_fresh_process_begins(changes: list[Any], last: Any) -> None:
    async def story(namespace: Namespace, client: KubeClient) -> None:
        process = Process(client)
        for spec in (*changes, last):
            namespace.set(spec)
            told = await process.read()
        policy, bots, config = await Process(client).read()
        assert (told[0], told[1]) == (policy, bots)
        assert told[2] is not None
        assert config is not None
        assert (told[2].spec, told[2].bots, told[2].timeout_ms) == (config.spec, config.bots, config.timeout_ms)

    played(story)


@given(good=SPECS | SELECTING, bad=(broken_by_one_field() | st.just(SHARED)).filter(operator_says), again=st.booleans())
def test_a_refused_change_leaves_the_last_good_one_in_force(good: Any, bad: Any, *, again: bool) -> None:
    async def story(namespace: Namespace, client: KubeClient) -> None:
        process = Process(client)
        namespace.set(good)
        before = await process.read()
        namespace.set(bad)
        for _ in range(1 + again):
            assert await process.read() == before

    played(story)
