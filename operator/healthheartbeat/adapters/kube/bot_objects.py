"""What the cluster has of one bot, for a person who looks into it: its Service, its pods, and the Events about them.

Each is read on its own. What may not or cannot be read is named in words, and takes nothing from the rest.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from healthheartbeat.adapters.kube.client import KubeClient, Object
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.json_access import mapping, mappings, text, texts
from healthheartbeat.adapters.kube.kinds import CORE_EVENTS, PODS, SERVICES
from healthheartbeat.adapters.kube.resources import name_of, namespace_of
from healthheartbeat.api import names, times
from healthheartbeat.core.story import Ended, EventSeen, PodSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`service` is "" where none was found; `unread`: what could not be read, and why."""

    service: str
    pods: tuple[PodSeen, ...]
    events: tuple[EventSeen, ...]
    unread: tuple[str, ...]


async def find(client: KubeClient, resource: Object, slug: str) -> Found:
    """Everything that is there of the bot `slug` of `resource`. Never raises ApiError."""
    namespace, unread = namespace_of(resource), list[str]()

    async def tried(what: str, reading: Awaitable[tuple[Object, ...]]) -> tuple[Object, ...]:
        try:
            return await reading
        except ApiError as error:
            unread.append(f"{what} could not be read: {error}")
            return ()

    about = f"involvedObject.kind={names.KIND},involvedObject.name={name_of(resource)}"
    services, own = await asyncio.gather(
        tried("the bot's Service", _services(client, resource, slug)),
        tried("the resource's Events", client.list(CORE_EVENTS, namespace, field_selector=about)),
    )
    service = services[0] if services else {}
    selector = texts(mapping(service.get("spec")).get("selector"))
    pods: tuple[Object, ...] = ()
    if selector:
        labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        pods = await tried("the bot's pods", client.list(PODS, namespace, label_selector=labels))
    lists = await asyncio.gather(
        *(
            tried(
                f"the Events of pod {name_of(pod)}",
                client.list(
                    CORE_EVENTS,
                    namespace,
                    field_selector=f"involvedObject.kind=Pod,involvedObject.name={name_of(pod)}",
                ),
            )
            for pod in pods
        )
    )
    seen = (_event(event) for event in (*own, *(event for found in lists for event in found)))
    return Found(
        service=name_of(service),
        pods=tuple(sorted((pod_seen(pod) for pod in pods), key=lambda pod: (pod.created_ms, pod.name))),
        events=tuple(event for event in seen if event is not None),
        unread=tuple(unread),
    )


async def _services(client: KubeClient, resource: Object, slug: str) -> tuple[Object, ...]:
    """The bot's Service: as its entry names it, else the one that the selector finds under this slug."""
    namespace, spec = namespace_of(resource), mapping(resource.get("spec"))
    for bot in mappings(spec.get("bots")):
        if bot.get("slug") == slug:
            return (await client.get(SERVICES, namespace, text(bot.get("service")) or names.default_service(slug)),)
    wanted = texts(mapping(spec.get("botSelector")).get("matchLabels"))
    if not wanted:
        return ()
    labels = ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
    found = await client.list(SERVICES, namespace, label_selector=labels)
    return tuple(service for service in found if _annotation(service, names.SLUG_ANNOTATION) == slug)


def pod_seen(pod: Mapping[str, Any]) -> PodSeen:
    """A pod as the API server has it; what is absent counts as nothing."""
    metadata, status = mapping(pod.get("metadata")), mapping(pod.get("status"))
    containers = mappings(status.get("containerStatuses"))
    waiting = (text(mapping(mapping(one.get("state")).get("waiting")).get("reason")) for one in containers)
    return PodSeen(
        name=text(metadata.get("name")),
        created_ms=_ms(metadata.get("creationTimestamp")) or 0,
        phase=text(status.get("phase")),
        ready=any(
            one.get("type") == "Ready" and one.get("status") == "True" for one in mappings(status.get("conditions"))
        ),
        ends_ms=_ms(metadata.get("deletionTimestamp")),
        restarts=sum(_number(one.get("restartCount")) for one in containers),
        waiting=tuple(reason for reason in waiting if reason),
        ended=tuple(end for one in containers for end in _ends(one)),
    )


def _ends(container: Mapping[str, Any]) -> tuple[Ended, ...]:
    """Its last end and, of one that does not run again, the present one."""
    found = []
    for state in (mapping(container.get("lastState")), mapping(container.get("state"))):
        ended = mapping(state.get("terminated"))
        at_ms = _ms(ended.get("finishedAt"))
        if at_ms is not None:
            name, reason, code = text(container.get("name")), text(ended.get("reason")), _number(ended.get("exitCode"))
            found.append(Ended(container=name, at_ms=at_ms, reason=reason, exit_code=code))
    return tuple(found)


def _event(event: Mapping[str, Any]) -> EventSeen | None:
    """None for one without any time. Its last sighting is what it is sorted by."""
    series, about = mapping(event.get("series")), mapping(event.get("involvedObject"))
    last = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    first = (event.get("firstTimestamp"), event.get("eventTime"))
    at_ms = next((ms for ms in map(_ms, last) if ms is not None), None)
    if at_ms is None:
        return None
    return EventSeen(
        at_ms=at_ms,
        reason=text(event.get("reason")),
        message=text(event.get("message")),
        pod=text(about.get("name")) if about.get("kind") == "Pod" else "",
        count=_number(series.get("count")) or _number(event.get("count")) or 1,
        first_ms=next((ms for ms in map(_ms, first) if ms is not None), None),
    )


def _annotation(service: Object, key: str) -> str:
    return texts(mapping(service.get("metadata")).get("annotations")).get(key, "")


def _ms(value: object) -> int | None:
    try:
        return times.parse_ms(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
