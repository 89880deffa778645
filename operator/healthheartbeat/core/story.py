"""One bot's story in the order of time: what its status, the last report, its pods and the Events say of it.

Each source knows a part. Kubernetes forgets Events after an hour, the status keeps the restarts of its window only, and
a pod tells of its own life alone. What they leave out is not made up.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from healthheartbeat.api.codes import AlertName, BotState, ReasonCode
from healthheartbeat.api.spans import gone
from healthheartbeat.core.bot_entry import BotEntry

OF_ALL_BOTS: Final = frozenset({AlertName.STORM, ReasonCode.REGISTRY_STALE})
"""Events that name no bot and concern each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last end of one container of a pod. `reason` is the kubelet's word: Error, OOMKilled, Completed."""

    container: str
    at_ms: int
    reason: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A pod behind the bot's Service. `waiting`: why its containers do not run, such as CrashLoopBackOff."""

    name: str
    created_ms: int
    phase: str
    ready: bool
    ends_ms: int | None = None
    restarts: int = 0
    waiting: tuple[str, ...] = ()
    ended: tuple[Ended, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSeen:
    """A Kubernetes Event. `pod`: the pod that it is about; "" for one about the resource."""

    at_ms: int
    reason: str
    message: str
    pod: str = ""
    count: int = 1
    first_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fact. `source`: status, report, pod or event."""

    at_ms: int
    source: str
    words: str


def story(
    entry: BotEntry, *, report: Mapping[str, Any], pods: Iterable[PodSeen], events: Iterable[EventSeen]
) -> tuple[Line, ...]:
    """Every fact about the bot `entry`, oldest first; of one moment, in the order status, report, pod, event.

    `report`: the last OperationsReport, as on the wire. `events`: of the resource and of the bot's pods.
    """
    found = [*_of_status(entry), *_of_report(entry.slug, report)]
    for pod in pods:
        found += _of_pod(pod)
    found += [_of_event(event) for event in events if concerns(event, entry.slug)]
    return tuple(sorted(found, key=lambda line: line.at_ms))


def concerns(event: EventSeen, slug: str) -> bool:
    """Whether an Event is about this bot: its pod, its slug as a whole word (strat.a is not strat.a2), or all bots."""
    if event.pod or event.reason in OF_ALL_BOTS:
        return True
    return re.search(rf"(?<![\w.-]){re.escape(slug)}(?![\w-]|\.\w)", event.message) is not None


def pod_words(pod: PodSeen, now_ms: int) -> str:
    """How a pod is now: `strat-a-x: Running, ready, 4 min old`."""
    facts = [pod.phase or "no phase", "ready" if pod.ready else "not ready"]
    facts += ["being deleted"] if pod.ends_ms is not None else []
    facts += [f"waiting: {reason}" for reason in pod.waiting]
    facts += [f"containers restarted {pod.restarts} times"] if pod.restarts > 1 else []
    facts += ["a container restarted once"] if pod.restarts == 1 else []
    return f"{pod.name}: {', '.join([*facts, f'{gone(now_ms - pod.created_ms)} old'])}"


def _of_status(entry: BotEntry) -> Iterable[Line]:
    if entry.last_seen_ms is not None and entry.state is not BotState.HEALTHY:
        yield Line(at_ms=entry.last_seen_ms, source="status", words="last seen healthy")
    for number, at_ms in enumerate(entry.restarts_ms, 1):
        yield Line(at_ms=at_ms, source="status", words=f"restart; {number} on record against its budget")


def _of_report(slug: str, report: Mapping[str, Any]) -> Iterable[Line]:
    at_ms = report.get("fired_at_ms")
    if not isinstance(at_ms, int):
        return
    listed = report.get("unhealthy_bots")
    for bot in listed if isinstance(listed, list) else []:
        if isinstance(bot, Mapping) and bot.get("slug") == slug:
            facts = [f"missed {bot.get('miss_count')} in a row", bot.get("reason"), bot.get("action")]
            words = ", ".join(str(fact).replace("_", " ") for fact in facts if fact)
            yield Line(at_ms=at_ms, source="report", words=f"the last sweep: {words}")
            return
    if slug in (report.get("unknown_bots") or ()):
        yield Line(at_ms=at_ms, source="report", words="the last sweep could not judge it")


def _of_pod(pod: PodSeen) -> Iterable[Line]:
    yield Line(at_ms=pod.created_ms, source="pod", words=f"{pod.name} created")
    for end in pod.ended:
        words = f"{pod.name}: container {end.container} ended: {end.reason or 'no reason'}, exit code {end.exit_code}"
        yield Line(at_ms=end.at_ms, source="pod", words=words)
    if pod.ends_ms is not None:
        yield Line(at_ms=pod.ends_ms, source="pod", words=f"{pod.name} is to be gone, its grace period over")


def _of_event(event: EventSeen) -> Line:
    often = f" ({event.count} times" if event.count > 1 else ""
    if often:
        since = "" if event.first_ms is None else f" in {gone(event.at_ms - event.first_ms)}"
        often += f"{since})"
    about = f"{event.pod}: " if event.pod else ""
    return Line(at_ms=event.at_ms, source="event", words=f"{event.reason}: {about}{event.message}{often}")
