"""What this process sees of resources that another one sweeps: each as last written, since when, and its reports.

The watch tells of every write of a leader anyhow, so a standby can say how things are without asking anybody.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healthheartbeat.runtime.clock import Clock
from healthheartbeat.runtime.reports import KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A resource as last seen. `since_ms`: monotonic time of its last report, None without one.

    `reports`: the last ones that were seen, oldest first.
    """

    resource: Mapping[str, Any]
    since_ms: int | None = None
    reports: tuple[Mapping[str, Any], ...] = ()


class Sightings:
    """The resources that the watch has told of, by namespace and name."""

    def __init__(self, *, now: Clock) -> None:
        self._now = now
        self._seen: dict[str, Sighting] = {}

    def of(self, key: str) -> Sighting | None:
        """What was last seen of the resource `<namespace>/<name>`."""
        return self._seen.get(key)

    def saw(self, resource: Mapping[str, Any]) -> None:
        """A resource exists, or changed; nobody changes `resource` any more."""
        key = _key(resource)
        before = self._seen.get(key)
        if before is not None and _uid(before.resource) != _uid(resource):
            before = None
        self._seen[key] = self._after(before, resource)

    def lost(self, resource: Mapping[str, Any]) -> None:
        """A resource was deleted, and was last as given; word of it may come after word of its successor."""
        key = _key(resource)
        if key in self._seen and _uid(self._seen[key].resource) == _uid(resource):
            del self._seen[key]

    def _after(self, before: Sighting | None, resource: Mapping[str, Any]) -> Sighting:
        report = (resource.get("status") or {}).get("lastReport")
        if not isinstance(report, Mapping):
            return Sighting(resource=resource)
        if before is None or before.since_ms is None:
            return Sighting(resource=resource, since_ms=self._ended_ms(report), reports=(report,))
        if before.reports[-1] == report:
            return Sighting(resource=resource, since_ms=before.since_ms, reports=before.reports)
        reports = deque((*before.reports, report), maxlen=KEPT)
        return Sighting(resource=resource, since_ms=self._now().mono_ms, reports=tuple(reports))

    def _ended_ms(self, report: Mapping[str, Any]) -> int:
        """When a report was made that nobody was seen writing: by its own clock, which is all there is to go by."""
        now = self._now()
        return now.mono_ms - max(0, now.wall_ms - int(report.get("fired_at_ms") or 0))


def _key(resource: Mapping[str, Any]) -> str:
    metadata = resource.get("metadata") or {}
    return f"{metadata.get('namespace')}/{metadata.get('name')}"


def _uid(resource: Mapping[str, Any]) -> object:
    return (resource.get("metadata") or {}).get("uid")
