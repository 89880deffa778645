"""What a user sees: the resource's status and the bots' pods, read through the API again and again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from demo import fleet
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS, PODS

EVERY_S: Final = 0.2
"""Each state of a bot lasts a sweep at least, so that none passes unseen."""


@dataclass(frozen=True)
class Sight:
    """One look. `pods`: the UID of each bot's newest pod, and `bots` its entry in the status, by slug."""

    status: Mapping[str, Any] = field(default_factory=dict)
    bots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pods: Mapping[str, str] = field(default_factory=dict)

    def state(self, slug: str) -> str:
        return str(self.bots.get(slug, {}).get("state", ""))

    def reason(self, slug: str) -> str:
        return str(self.bots.get(slug, {}).get("reason", ""))

    def action(self, slug: str) -> str:
        return str(self.bots.get(slug, {}).get("action", ""))

    def firing(self, slug: str) -> Sequence[str]:
        """Alerts of that bot that fire, as the status has them."""
        names: Sequence[str] = self.bots.get(slug, {}).get("firing", ())
        return names

    def restarts(self, slug: str) -> int:
        return len(self.bots.get(slug, {}).get("restartTimes", ()))

    def condition(self, name: str) -> str:
        """`True`, `False`, `Unknown`, or empty where the status has no such condition."""
        return next((each["status"] for each in self.status.get("conditions", ()) if each["type"] == name), "")

    @property
    def report(self) -> Mapping[str, Any]:
        report: Mapping[str, Any] = self.status.get("lastReport", {})
        return report


class Observer:
    """Looks every EVERY_S; `seen` holds every pod that a bot ever had, by slug, as UIDs in order of appearance."""

    def __init__(
        self, client: KubeClient, namespace: str, *, shown: Callable[[Sight], None], check: Callable[[], None]
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._shown = shown
        self._check = check
        self._news = asyncio.Condition()
        self.sight = Sight()
        self.seen: dict[str, list[str]] = {member.slug: [] for member in fleet.FLEET}

    async def run(self) -> None:
        """Look until cancelled. Raises StageError (from `check`) where there is nothing more to be seen."""
        while True:
            self._check()
            with suppress(ApiError):
                self.sight = await self._look()
            self._shown(self.sight)
            async with self._news:
                self._news.notify_all()
            await asyncio.sleep(EVERY_S)

    async def until(self, holds: Callable[[Sight], bool], *, within_s: float) -> float | None:
        """Wait until `holds`; returns the seconds that it took, None where it did not come about in time."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: holds(self.sight))
        except TimeoutError:
            return None
        return time.monotonic() - began

    async def _look(self) -> Sight:
        resource, pods = await asyncio.gather(
            self._client.get(HEALTHHEARTBEATS, self._namespace, fleet.NAME),
            self._client.list(PODS, self._namespace),
        )
        status = resource.get("status", {})
        newest = {}
        for pod in sorted(pods, key=lambda pod: "deletionTimestamp" not in pod["metadata"]):
            newest[pod["metadata"]["labels"].get("app")] = pod["metadata"]["uid"]
        by_slug = {member.slug: newest[member.service] for member in fleet.FLEET if member.service in newest}
        for slug, uid in by_slug.items():
            if uid not in self.seen[slug]:
                self.seen[slug].append(uid)
        return Sight(status=status, bots={entry["slug"]: entry for entry in status.get("bots", ())}, pods=by_slug)


@asynccontextmanager
async def observing(
    kubeconfig: Path, namespace: str, *, shown: Callable[[Sight], None], check: Callable[[], None]
) -> AsyncIterator[Observer]:
    """An observer of the API server that `kubeconfig` leads to; `run` it beside what waits for it."""
    async with KubeClient(kubeconfig=kubeconfig, timeout_s=5.0) as client:
        yield Observer(client, namespace, shown=shown, check=check)
