"""Leases (coordination.k8s.io/v1) as leadership needs them: read, create, replace under the version that was read."""

from datetime import UTC, datetime
from typing import Any, Final

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiUnavailable, NotFound
from healthheartbeat.adapters.kube.json_access import mapping, text
from healthheartbeat.adapters.kube.kinds import LEASES
from healthheartbeat.core.lease import RELEASED_MS, Held, Timing

CALL_S: Final = 2.0


class LeaseStore:
    """One Lease: `healthheartbeat-<name>` in the resource's namespace. Every call takes two seconds at most.

    A leader has time for five renewals before it must let go. After one that failed the next has a connection of its
    own, so that a pool of dead ones (an API server that was moved) does not cost it the Lease.
    """

    def __init__(self, client: KubeClient, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = f"healthheartbeat-{name}"
        self._doubtful = False

    async def read(self) -> Held | None:
        """The Lease as it is; None where there is none. Raises ApiError."""
        try:
            found = await self._client.get(LEASES, self._namespace, self._name, timeout_s=CALL_S)
        except NotFound:
            return None
        return _held(found)

    async def write(self, holder: str, *, over: Held | None, timing: Timing, wall_ms: int) -> Held:
        """Make `holder` the holder ("" gives it up), where the Lease is still as `over` was read (None: not there).

        Raises Conflict where it is not (NotFound where it is gone), another ApiError where that is not known.
        """
        taken_over = over is not None and bool(holder) and over.holder != holder
        transitions = (over.transitions if over else 0) + taken_over
        now = datetime.fromtimestamp(wall_ms / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, (timing.duration_ms if holder else RELEASED_MS) // 1000),
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        metadata = {"name": self._name, "namespace": self._namespace}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        if over is None:
            return _held(await self._client.post(LEASES, self._namespace, body, timeout_s=CALL_S))
        body["metadata"] = {**metadata, "resourceVersion": over.version}
        fresh, self._doubtful = self._doubtful, True
        put = await self._client.put(LEASES, self._namespace, self._name, body, timeout_s=CALL_S, fresh=fresh)
        self._doubtful = False
        return _held(put)


def _held(lease: Any) -> Held:
    spec, version = mapping(lease.get("spec")), text(mapping(lease.get("metadata")).get("resourceVersion"))
    if not version:
        raise ApiUnavailable(200, "Unreadable", "the Lease came without a resourceVersion", maybe_done=True)
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    return Held(
        holder=text(spec.get("holderIdentity")),
        version=version,
        duration_ms=(seconds if isinstance(seconds, int) else 0) * 1000,
        transitions=transitions if isinstance(transitions, int) else 0,
    )
