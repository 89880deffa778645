"""The pods of one bot: looked at ahead of a restart, and deleted by it (decisions 18 to 20)."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable, Conflict, Forbidden, NotFound
from healthheartbeat.adapters.kube.json_access import mapping, mappings, port_number, text
from healthheartbeat.adapters.kube.kinds import PODS
from healthheartbeat.adapters.kube.roll import selects
from healthheartbeat.api import times
from healthheartbeat.core.clock import ours_ms
from healthheartbeat.core.restart import PodFacts

STUCK_SLACK_MS: Final = 10_000
"""A terminating pod's deletionTimestamp has its grace period in it already; the kubelet gets this much on top."""


class DeleteOutcome(StrEnum):
    """What became of one DELETE. REFUSED: definitely not done, at its first and only sending."""

    DELETED = "deleted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResult:
    """The outcome, and in words why it is not DELETED."""

    outcome: DeleteOutcome
    words: str = ""


async def list_pods(
    client: KubeClient,
    namespace: str,
    selector: Mapping[str, str],
    other_selectors: Mapping[str, Mapping[str, str]],
    *,
    timeout_s: float | None = None,
) -> tuple[PodFacts, ...]:
    """Every pod that `selector` (a Service's, not empty) selects, terminating and finished ones too, by name.

    A consistent read, never from a cache that lags: a pod replaced a moment ago must not be judged by its predecessor.
    `other_selectors`: those of the other bots' Services, by slug. Raises ApiError, ApiUnavailable too where a pod came
    without what a decision needs.
    """
    if not selector:
        return ()
    label_selector = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    found = await client.list(PODS, namespace, label_selector=label_selector, timeout_s=timeout_s)
    facts = (pod_facts(pod, other_selectors, ahead_ms=client.ahead_ms) for pod in found)
    return tuple(sorted(facts, key=lambda pod: pod.name))


async def get_pods(
    client: KubeClient,
    namespace: str,
    names: Collection[str],
    selector: Mapping[str, str],
    other_selectors: Mapping[str, Mapping[str, str]],
    *,
    timeout_s: float | None = None,
) -> tuple[PodFacts, ...]:
    """Those of the pods of these `names` that are there and that `selector` (not empty) selects, by name.

    Each is read by itself, from etcd: a consistent list waits for the API server's cache to have heard of the latest
    write of anything, 100 ms and more, and a restart for the list. Otherwise as `list_pods`.
    """

    async def get(name: str) -> Mapping[str, Any]:
        try:
            return await client.get(PODS, namespace, name, timeout_s=timeout_s)
        except NotFound:
            return {}

    found = await asyncio.gather(*(get(name) for name in sorted(names)))
    selected = (pod for pod in found if pod and _selects(selector, mapping(mapping(pod.get("metadata")).get("labels"))))
    return tuple(pod_facts(pod, other_selectors, ahead_ms=client.ahead_ms) for pod in selected)


def pod_facts(
    pod: Mapping[str, Any], other_selectors: Mapping[str, Mapping[str, str]], *, ahead_ms: int = 0
) -> PodFacts:
    """What a restart has to know of `pod`, as the API server has it, its times by our clock.

    `ahead_ms`: how far the API server's clock is ahead of ours. Raises ApiUnavailable where a pod lacks what it takes.
    """
    metadata = mapping(pod.get("metadata"))
    uid, name, created_ms = (
        text(metadata.get("uid")),
        text(metadata.get("name")),
        _time_ms(metadata.get("creationTimestamp")),
    )
    if not uid or not name or created_ms is None:
        raise ApiUnavailable(
            200, "Unreadable", f"list pods: pod {name or '?'} came without uid, name or creationTimestamp"
        )
    ends_ms = _time_ms(metadata.get("deletionTimestamp"))
    status = mapping(pod.get("status"))
    phase = status.get("phase")
    labels = mapping(metadata.get("labels"))
    return PodFacts(
        uid=uid,
        name=name,
        created_ms=ours_ms(created_ms, ahead_ms=ahead_ms),
        running=phase == "Running",
        finished=phase in ("Succeeded", "Failed"),
        terminating=metadata.get("deletionTimestamp") is not None,
        stuck_after_ms=None if ends_ms is None else ours_ms(ends_ms, ahead_ms=ahead_ms) + STUCK_SLACK_MS,
        controller_kind=next(
            (
                text(owner.get("kind"))
                for owner in mappings(metadata.get("ownerReferences"))
                if owner.get("controller") is True
            ),
            None,
        ),
        also_selected_by=tuple(
            slug for slug, selector in sorted(other_selectors.items()) if _selects(selector, labels)
        ),
        addresses=_addresses(status),
        ports=_ports(mapping(pod.get("spec"))),
    )


def _selects(selector: Mapping[str, str], labels: Mapping[str, Any]) -> bool:
    """As a Service's: an empty one selects nothing."""
    return bool(selector) and selects(selector, labels)


def _addresses(status: Mapping[str, Any]) -> tuple[str, ...]:
    """As `adapters.kube.endpoints` writes them; what is no address is left out."""
    found: dict[str, None] = {}
    for entry in (*mappings(status.get("podIPs")), {"ip": status.get("podIP")}):
        try:
            found[str(ip_address(text(entry.get("ip"))))] = None
        except ValueError:
            continue
    return tuple(found)


def _ports(spec: Mapping[str, Any]) -> dict[str, int]:
    """Its TCP ports by name, found as the EndpointSlice controller does: of the first container that has one."""
    found: dict[str, int] = {}
    sidecars = [one for one in mappings(spec.get("initContainers")) if one.get("restartPolicy") == "Always"]
    for container in (*mappings(spec.get("containers")), *sidecars):
        for port in mappings(container.get("ports")):
            number = port_number(port.get("containerPort"))
            if number is not None and port.get("protocol", "TCP") == "TCP":
                found.setdefault(text(port.get("name")), number)
    return found


async def delete_pod(client: KubeClient, namespace: str, name: str, uid: str, timeout_s: float) -> DeleteResult:
    """Delete the pod `name` if it is still the one with `uid`, by one DELETE over a fresh connection, sent once.

    Never raises ApiError. REFUSED only for 403, 404 and 409 in the API server's own words: everything else, no answer
    included, is UNKNOWN, and counts as a restart (decision 20).
    """
    try:
        await client.delete(PODS, namespace, name, options={"preconditions": {"uid": uid}}, timeout_s=timeout_s)
    except (Forbidden, NotFound, Conflict) as error:
        return DeleteResult(outcome=DeleteOutcome.REFUSED, words=str(error))
    except ApiError as error:
        return DeleteResult(outcome=DeleteOutcome.UNKNOWN, words=str(error))
    return DeleteResult(outcome=DeleteOutcome.DELETED)


def _time_ms(value: object) -> int | None:
    try:
        return times.parse_ms(value) if isinstance(value, str) else None
    except ValueError:
        return None
