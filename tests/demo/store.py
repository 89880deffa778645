"""Kubernetes objects in memory, under the rules of the real API server that an operator relies on.

A resourceVersion that only grows and refuses writes made on an old one; spec and status kept apart; a delete that can
name the UID it means. What is not kept here (schemas, admission, RBAC, pages of lists) is tested against a real API
server; what a caller asks for and is not known here is refused, never ignored.
"""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from demo import selectors

Object = dict[str, Any]
FIXED: Final = ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")
"""Metadata that the server alone writes, or that never changes."""


@dataclass(frozen=True)
class Resource:
    """One kind of object. `graceful`: a delete marks it, and whoever runs it removes it, as the kubelet does pods."""

    group: str
    version: str
    plural: str
    kind: str
    has_status: bool = False
    graceful: bool = False
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class RefusedError(Exception):
    """The API server's no, in its own words."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Change:
    """One event of a watch: ADDED, MODIFIED or DELETED, and the object as of then."""

    version: int
    type: str
    resource: Resource
    body: Object


class Store:
    """All objects, by resource, namespace and name.

    A write makes new objects and leaves the old ones be, so what is handed out is shared, and nobody's to change.
    """

    def __init__(self, *, history: int = 5000) -> None:
        self._objects: dict[tuple[Resource, str, str], Object] = {}
        self._version = 0
        self._history: deque[Change] = deque(maxlen=history)
        self._forgotten = 0  # the newest version that no watch can begin before any more
        self._watches: set[asyncio.Queue[Change]] = set()

    @property
    def version(self) -> str:
        """The resourceVersion of a list that is read now."""
        return str(self._version)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        return self._known(resource, namespace, name)

    def list(self, resource: Resource, namespace: str | None, label_selector: str = "") -> list[Object]:
        """Those of `namespace` (None: of all) that `label_selector` matches, by name.

        Raises RefusedError for a selector of a form not known here.
        """
        try:
            matches = selectors.parse(label_selector)
        except ValueError as error:
            raise RefusedError(400, "BadRequest", str(error)) from None
        return [
            body
            for (of, where, _), body in sorted(self._objects.items(), key=lambda item: item[0][1:])
            if of == resource and namespace in (None, where) and matches(body["metadata"].get("labels") or {})
        ]

    def create(self, resource: Resource, namespace: str, given: Mapping[str, Any]) -> Object:
        body = copy.deepcopy(dict(given))
        name = (body.get("metadata") or {}).get("name")
        if not name:
            raise RefusedError(422, "Invalid", f"{resource.plural}: metadata.name is required")
        if (resource, namespace, name) in self._objects:
            raise RefusedError(409, "AlreadyExists", f'{resource.plural} "{name}" already exists')
        body["metadata"] |= {
            "namespace": namespace,
            "uid": str(uuid4()),
            "creationTimestamp": _time(datetime.now(UTC)),
            "generation": 1,
        }
        if resource.has_status:
            body.pop("status", None)
        body |= {"apiVersion": resource.api_version, "kind": resource.kind}
        return self._changed("ADDED", resource, body)

    def patch(
        self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any], *, status: bool = False
    ) -> Object:
        """Apply a JSON merge patch (RFC 7386); `status`: to the status alone, of which any other patch takes nothing.

        Raises RefusedError 409 where the patch names another resourceVersion or UID than the object has. What changes
        nothing is no change: the resourceVersion stays and no watch hears of it, as with the real one.
        """
        before = self._as_meant(resource, namespace, name, patch)
        after = merged(before, patch)
        if status:
            after = before | {"status": after.get("status")}
        else:
            fixed = {field: before["metadata"][field] for field in FIXED if field in before["metadata"]}
            after["metadata"] = {k: v for k, v in after["metadata"].items() if k not in FIXED} | fixed
            if resource.has_status:
                after["status"] = before.get("status")
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] += 1
        return self._replaced(resource, before, after)

    def put_status(self, resource: Resource, namespace: str, name: str, given: Mapping[str, Any]) -> Object:
        """Make `given`'s status the whole status, and take nothing else of it. Refused, and no change, as `patch`."""
        before = self._as_meant(resource, namespace, name, given)
        return self._replaced(resource, before, before | {"status": copy.deepcopy(given.get("status"))})

    def delete(self, resource: Resource, namespace: str, name: str, options: Mapping[str, Any] | None = None) -> Object:
        """Delete, or for a graceful resource mark as terminating (`gracePeriodSeconds` 0 removes it).

        Raises RefusedError 409 where a precondition of `options` does not hold: somebody else's object is never hit.
        """
        options = options or {}
        body = self._known(resource, namespace, name)
        metadata = body["metadata"]
        for field, wanted in (options.get("preconditions") or {}).items():
            if wanted is not None and metadata.get(field) != wanted:
                words = f"Precondition failed: {field} in precondition: {wanted}, {field} in object meta"
                raise RefusedError(409, "Conflict", f"{resource.plural} {name!r}: {words}: {metadata.get(field)}")
        if resource.graceful and options.get("gracePeriodSeconds") != 0:
            if "deletionTimestamp" in metadata:
                return body
            grace_s = (body.get("spec") or {}).get("terminationGracePeriodSeconds", 30)
            ends = datetime.now(UTC) + timedelta(seconds=grace_s)
            marks = {"deletionTimestamp": _time(ends), "deletionGracePeriodSeconds": grace_s}
            return self._changed("MODIFIED", resource, body | {"metadata": metadata | marks})
        return self._changed("DELETED", resource, body)

    async def watch(self, resource: Resource, namespace: str | None, since: str) -> AsyncIterator[Change]:
        """Every change after the version `since`, for ever. Raises RefusedError 410 where that is too long ago."""
        if int(since) < self._forgotten:
            raise RefusedError(410, "Expired", f"too old resource version: {since} ({self._forgotten})")
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for change in self._history:
            if change.version > int(since):
                queue.put_nowait(change)
        self._watches.add(queue)
        try:
            while True:
                change = await queue.get()
                if change.resource == resource and namespace in (None, change.body["metadata"]["namespace"]):
                    yield change
        finally:
            self._watches.discard(queue)

    def _as_meant(self, resource: Resource, namespace: str, name: str, given: Mapping[str, Any]) -> Object:
        """The object, if it still has the resourceVersion and UID that `given` names."""
        before = self._known(resource, namespace, name)
        meant = given.get("metadata") or {}
        for field in ("resourceVersion", "uid"):
            if meant.get(field) not in (None, before["metadata"][field]):
                words = f'"{name}": the object has been modified; please apply your changes to the latest version'
                raise RefusedError(409, "Conflict", f"Operation cannot be fulfilled on {resource.plural} {words}")
        return before

    def _replaced(self, resource: Resource, before: Object, after: Object) -> Object:
        after = {key: value for key, value in after.items() if value is not None}
        return before if after == before else self._changed("MODIFIED", resource, after)

    def _known(self, resource: Resource, namespace: str, name: str) -> Object:
        try:
            return self._objects[resource, namespace, name]
        except KeyError:
            raise RefusedError(404, "NotFound", f'{resource.plural} "{name}" not found') from None

    def _changed(self, what: str, resource: Resource, body: Object) -> Object:
        """Keep `body` under the next resourceVersion, or take it away, and tell the watches."""
        self._version += 1
        metadata = body["metadata"] | {"resourceVersion": str(self._version)}
        body = body | {"metadata": metadata}
        key = (resource, metadata["namespace"], metadata["name"])
        if what == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = body
        if len(self._history) == self._history.maxlen:
            self._forgotten = self._history[0].version
        change = Change(self._version, what, resource, body)
        self._history.append(change)
        for queue in self._watches:
            queue.put_nowait(change)
        return body


def merged(target: Any, patch: Any) -> Any:
    """`target` with a JSON merge patch on it (RFC 7386): null removes a key, a list replaces the whole list."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
