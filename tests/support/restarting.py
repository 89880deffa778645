"""What of an operator process restarts, against a made cluster: the real Restarts and StatusWriter."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from healthheartbeat.adapters.kube.errors import ApiUnavailable, Conflict, Forbidden, NotFound
from healthheartbeat.adapters.kube.pods import DeleteOutcome, DeleteResult
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.api.annotations import Pause
from healthheartbeat.api.codes import Action
from healthheartbeat.core.budget import Spending
from healthheartbeat.core.policy import Policy
from healthheartbeat.core.reconcile import adopt
from healthheartbeat.core.registry import Registry
from healthheartbeat.core.resource import ResourceLedger
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.status import render_bots
from healthheartbeat.runtime.announcer import Announcer
from healthheartbeat.runtime.restarts import Restarts
from healthheartbeat.runtime.status_writer import StatusWriter
from support.examples import bot, down, policy, registry
from support.fake_cluster import FakeCluster
from support.network import Verb
from support.virtual_time import BORN_MS, Clock

SLACK_MS = 35_000
KEY = f"a@{BORN_MS}"


@dataclass
class View:
    resource: ResourceLedger
    registry: Registry
    policy: Policy
    pauses: dict[str, Pause] = field(default_factory=dict)
    leads: bool = True

    def pause(self, slug: str) -> Pause | None:
        return self.pauses.get(slug)

    def may_restart(self) -> bool:
        return self.leads


class Process:
    """What of an operator process restarts, with bot `a` down and its pod behind it."""

    def __init__(self, cluster: FakeCluster, name: str = "op-1") -> None:
        self.cluster, self.name = cluster, name
        self.clock = Clock(asyncio.get_running_loop())
        uids = [pod.uid for pod in cluster.pods_of("a")]
        self.view = View(
            resource=ResourceLedger(name="ns/hh"),
            registry=registry(bot("a", *uids, startup_grace_ms=0)),
            policy=policy(),
        )
        self.view.resource.put(down("a", *uids))
        self.events: list[str] = []
        self.writer = StatusWriter(render=self.render, write=self.write, refresh=self.refresh)
        self.restarts = Restarts(
            self.view,
            writer=self.writer,
            announcer=Announcer("ns/hh", metrics=Metrics(), record=self.record, now=self.clock),
            list_pods=lambda slug: cluster.list_pods(slug, name),
            get_pods=lambda slug, uids: cluster.list_pods(slug, name, uids=uids),
            delete=self.delete,
            now=self.clock,
            call_timeout_ms=1000,
        )

    def render(self) -> dict[str, Any]:
        return render_bots(self.view.resource, pauses={}, policy=self.view.policy, now=self.clock())

    async def write(self, body: dict[str, Any], version: str) -> str:
        return await self.cluster.write_status(body, version, self.name)

    async def refresh(self) -> None:
        writes = self.writer.writes
        resource = await self.cluster.read(self.name)
        self.writer.saw(resource["metadata"]["resourceVersion"], writes=writes)
        adopt(
            self.view.resource,
            resource["status"],
            known=self.restarts.keys,
            slack_ms=SLACK_MS,
            window_ms=self.view.policy.window_ms,
            now=self.clock(),
        )

    async def delete(self, pod: PodFacts) -> DeleteResult:
        try:
            await self.cluster.delete_pod(pod, self.name)
        except (Forbidden, NotFound, Conflict) as error:
            return DeleteResult(outcome=DeleteOutcome.REFUSED, words=str(error))
        except ApiUnavailable as error:
            return DeleteResult(outcome=DeleteOutcome.UNKNOWN, words=str(error))
        return DeleteResult(outcome=DeleteOutcome.DELETED)

    def record(self, *, warning: bool, reason: str, message: str, action: str) -> None:
        del warning, message, action
        self.events.append(reason)

    async def consider(self) -> Action | None:
        """Decide about `a`, wait until that has ended, and return what was noted."""
        self.restarts.consider("a", sweep_start_ms=BORN_MS)
        await self.restarts.settle(1000)
        return self.action

    @property
    def action(self) -> Action | None:
        return self.view.resource.bots["a"].action

    @property
    def words(self) -> str:
        return self.view.resource.bots["a"].action_reason

    @property
    def spending(self) -> Spending:
        return self.view.resource.spending_of("a")

    def verbs(self) -> list[Verb]:
        return [verb for _, verb, sender in self.cluster.calls if sender == self.name]
