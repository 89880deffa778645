"""Kubernetes Events on the resource: what `kubectl describe` and `kubectl get events` show of a transition.

They are a courtesy. Nothing waits for one, and none fails anything: pages, log and status carry the same facts.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import structlog

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.json_access import mapping, text
from healthheartbeat.adapters.kube.kinds import EVENTS
from healthheartbeat.api import names
from healthheartbeat.api.text import clip

CONTROLLER: Final = f"{names.GROUP}/health-heartbeat"
MAX_NOTE_BYTES: Final = 1024
MAX_REASON: Final = 128
MAX_NAME: Final = 253
MAX_QUEUED: Final = 200
BEHIND_S: Final = 0.25
"""Events are for people: what happened is acted on first, and the API server has that to do."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One Event to be. `involved`: the resource's raw metadata; `wall_ms`: when; `action`: what was being done."""

    involved: Mapping[str, Any]
    warning: bool
    reason: str
    message: str
    action: str
    wall_ms: int


async def emit(client: KubeClient, happening: Happening, *, instance: str = "", timeout_s: float | None = None) -> bool:
    """Create the Event in the resource's namespace; False where it could not be, which is logged. Raises no ApiError.

    `instance`: which process says so. The message is cut at 1024 bytes, which is all that an Event's note may hold.
    """
    body = render(happening, instance=instance)
    try:
        await client.post(EVENTS, body["metadata"]["namespace"], body, timeout_s=timeout_s)
    except ApiError as error:
        log.warning("EVENT_LOST", reason=happening.reason, message=happening.message, error=str(error))
        return False
    return True


def render(happening: Happening, *, instance: str) -> dict[str, Any]:
    """The Event as the API takes it (events.k8s.io/v1)."""
    involved = mapping(happening.involved)
    name, namespace = text(involved.get("name")), text(involved.get("namespace"))
    unique = f".{uuid4().hex[:16]}"
    moment = datetime.fromtimestamp(happening.wall_ms / 1000, tz=UTC)
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name[: MAX_NAME - len(unique)] + unique, "namespace": namespace},
        "eventTime": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": clip(instance or CONTROLLER, MAX_REASON),
        "type": "Warning" if happening.warning else "Normal",
        "reason": clip(happening.reason, MAX_REASON),
        "action": clip(happening.action, MAX_REASON),
        "note": _note(happening.message),
        "regarding": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": name,
            "namespace": namespace,
            "uid": text(involved.get("uid")),
            "resourceVersion": text(involved.get("resourceVersion")),
        },
    }


class EventRecorder:
    """A queue of Events and the task that sends them, as an async context manager.

    `record` never waits and never raises: with `max_queued` waiting, the oldest is dropped and counted in `dropped`.
    """

    def __init__(self, client: KubeClient, *, instance: str = "", max_queued: int = MAX_QUEUED) -> None:
        self._client = client
        self._instance = instance
        self._queue: deque[Happening] = deque()
        self._max_queued = max_queued
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    async def __aenter__(self) -> Self:
        """Start sending."""
        self._task = asyncio.create_task(self._send(), name="events")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sending; what is queued is dropped (`drain` first to have it sent)."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def record(self, happening: Happening) -> None:
        """Have an Event sent."""
        if len(self._queue) >= self._max_queued:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(happening)
        self._wake.set()
        self._idle.clear()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until all is sent that was recorded, at most so long; whether it was."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self) -> None:
        dropped = 0
        while True:
            await self._wake.wait()
            await asyncio.sleep(BEHIND_S)
            while self._queue:
                await self._emit(self._queue.popleft())
                if self.dropped > dropped:
                    log.warning("EVENTS_DROPPED", dropped=self.dropped - dropped)
                    dropped = self.dropped
            self._wake.clear()
            self._idle.set()

    async def _emit(self, happening: Happening) -> None:
        try:
            await emit(self._client, happening, instance=self._instance)
        except Exception:  # an Event that cannot be made costs itself, never the task that sends the next
            log.exception("EVENT_LOST", reason=happening.reason)


def _note(message: str) -> str:
    """`message` in at most 1024 bytes: the API server counts bytes."""
    clipped = clip(message, MAX_NOTE_BYTES)
    encoded = clipped.encode()
    if len(encoded) <= MAX_NOTE_BYTES:
        return clipped
    return encoded[: MAX_NOTE_BYTES - 3].decode(errors="ignore") + "…"
