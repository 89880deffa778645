"""The real outside, for sweepers: the API server, the bots, the sinks."""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from healthheartbeat.adapters.kube import pods, status
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.events import EventRecorder, Happening
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.probe import Target, probe
from healthheartbeat.api.codes import MissReason
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.registry import Bot, Pod, Registry
from healthheartbeat.core.restart import PodFacts
from healthheartbeat.core.verdict import Verdict
from healthheartbeat.runtime.clock import system_clock, wall_ms
from healthheartbeat.runtime.source import Source
from healthheartbeat.runtime.world import World

API_TIMEOUT_S: Final = 5.0
"""How long a call to the API server may take; a DELETE may be on its way for so long."""
TARGETS_KEPT: Final = 65_536


@functools.lru_cache(maxsize=TARGETS_KEPT)
def _target(address: str, port: int, path: str, slug: str, max_decision_age_s: int | None) -> Target:
    """A target, checked when it is first polled."""
    return Target(address=address, port=port, path=path, slug=slug, max_decision_age_s=max_decision_age_s)


def _other_selectors(bot: Bot, registry: Registry) -> dict[str, Mapping[str, str]]:
    """Those of all Services known but the bot's own, by slug or name."""
    others = {other.slug: other.selector for other in registry.bots.values() if other.slug != bot.slug}
    return others | dict(registry.foreign)


def real_world(
    *,
    client: KubeClient,
    events: EventRecorder,
    pages: PageBoard,
    metrics: Metrics,
    report: Callable[[OperationsReport], None],
    notes: Callable[[], tuple[str, ...]],
    holder: str,
    stale_after_s: int = 300,
    page_after_s: int = 600,
) -> World:
    """Everything that sweepers touch, through `client`; `stale_after_s` and `page_after_s` are decision 23's."""

    async def poll(bot: Bot, pod: Pod, timeout_s: float) -> Verdict:
        if not pod.port:
            return Verdict.miss(MissReason.NO_ENDPOINTS, f"pod {pod.name} has not the port that the bot is asked at")
        target = _target(pod.address, pod.port, bot.path, bot.slug, bot.max_decision_age_s)
        return await probe(target, timeout_s=timeout_s, now_ms=wall_ms)

    async def list_pods(namespace: str, bot: Bot, registry: Registry) -> tuple[PodFacts, ...]:
        return await pods.list_pods(client, namespace, bot.selector, _other_selectors(bot, registry))

    async def get_pods(namespace: str, bot: Bot, registry: Registry, uids: Collection[str]) -> tuple[PodFacts, ...]:
        names = [pod.name for pod in bot.pods if pod.uid in uids]
        return await pods.get_pods(client, namespace, names, bot.selector, _other_selectors(bot, registry))

    def record(metadata: Mapping[str, Any], *, warning: bool, reason: str, message: str, action: str) -> None:
        events.record(
            Happening(
                involved=metadata,
                warning=warning,
                reason=reason,
                message=message,
                action=action,
                wall_ms=system_clock().wall_ms,
            )
        )

    source = Source(client, now=system_clock)
    return World(
        now=system_clock,
        read=source.read,
        forget=source.forget,
        probe=poll,
        list_pods=list_pods,
        get_pods=get_pods,
        delete_pod=lambda namespace, pod: pods.delete_pod(client, namespace, pod.name, pod.uid, API_TIMEOUT_S),
        write_status=lambda namespace, name, body, version: status.write_status(client, namespace, name, body, version),
        record_event=record,
        pages=pages,
        metrics=metrics,
        report=report,
        notes=notes,
        holder=holder,
        stale_after_ms=stale_after_s * 1000,
        page_after_ms=page_after_s * 1000,
        call_timeout_ms=int(API_TIMEOUT_S * 1000),
    )
