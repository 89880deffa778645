"""The smallest Kubernetes API server that the operator cannot tell from a real one: HTTP in front of a Store.

Discovery, get, list with label selectors, watch, create, merge patch and replacing of a status, and delete with
preconditions, of the few resources that the operator and its demo use. Only whoever has the token is let in.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from demo.store import RefusedError, Resource, Store
from healthheartbeat.api import names

HEALTHHEARTBEATS: Final = Resource(names.GROUP, names.VERSION, names.PLURAL, names.KIND, has_status=True)
PODS: Final = Resource("", "v1", "pods", "Pod", has_status=True, graceful=True)
SERVICES: Final = Resource("", "v1", "services", "Service")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
RESOURCES: Final = (HEALTHHEARTBEATS, PODS, SERVICES, CONFIG_MAPS, ENDPOINT_SLICES, EVENTS, NAMESPACES, DEFINITIONS)
"""kopf watches nothing before discovery has shown it namespaces and definitions, though it never asks for any."""

MERGE_PATCH: Final = "application/merge-patch+json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """HTTP in front of `store`. Use `running`."""

    def __init__(self, store: Store, *, token: str) -> None:
        self.store = store
        self._token = token
        self.app = web.Application(middlewares=[self._admit])
        self.app.router.add_get("/api", self._versions)
        self.app.router.add_get("/apis", self._groups)
        for base in sorted({_base(resource) for resource in RESOURCES}):
            self.app.router.add_get(base, self._resources)
            self.app.router.add_get(base + "/{plural}", self._list)
            collection = base + "/namespaces/{namespace}/{plural}"
            self.app.router.add_get(collection, self._list)
            self.app.router.add_post(collection, self._create)
            self.app.router.add_get(collection + "/{name}", self._get)
            self.app.router.add_patch(collection + "/{name}", self._patch)
            self.app.router.add_put(collection + "/{name}/status", self._put_status)
            self.app.router.add_delete(collection + "/{name}", self._delete)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for the token, and say every refusal as the API does: its clients tell a Status from a proxy's words."""
        try:
            if request.headers.get("Authorization") != f"Bearer {self._token}":
                return _status(401, "Unauthorized", "Unauthorized")
            return await handler(request)
        except RefusedError as error:
            return _status(error.status, error.reason, str(error))
        except web.HTTPNotFound:
            return web.Response(
                status=404, text="404 page not found\n"
            )  # a kind that is not served: no Status, as ever
        except web.HTTPMethodNotAllowed:
            return _status(405, "MethodNotAllowed", f"{request.method} {request.path} is not known here")
        except ValueError as error:
            return _status(400, "BadRequest", str(error))

    async def _versions(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def _groups(self, _: web.Request) -> web.Response:
        groups = []
        for resource in (each for each in RESOURCES if each.group):
            version = {"groupVersion": resource.api_version, "version": resource.version}
            groups.append({"name": resource.group, "versions": [version], "preferredVersion": version})
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def _resources(self, request: web.Request) -> web.Response:
        found = [resource for resource in RESOURCES if _base(resource) == request.path]
        entries: list[dict[str, Any]] = []
        for resource in found:
            verbs = ["create", "delete", "get", "list", "patch", "watch"]
            entry = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced, "kind": resource.kind}
            entries.append({"name": resource.plural, "verbs": verbs, **entry})
            if resource.has_status:
                entries.append({"name": f"{resource.plural}/status", "verbs": ["patch"], **entry, "singularName": ""})
        return web.json_response(
            {"kind": "APIResourceList", "groupVersion": found[0].api_version, "resources": entries}
        )

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self.store.get(*_place(request), request.match_info["name"]))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        resource, namespace = _resource(request), request.match_info.get("namespace")
        if request.query.get("fieldSelector"):
            raise RefusedError(400, "BadRequest", "field selectors are not known here")
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request, resource, namespace)
        items = self.store.list(resource, namespace, request.query.get("labelSelector", ""))
        metadata = {"resourceVersion": self.store.version, "continue": ""}
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return web.json_response({**head, "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request, resource: Resource, namespace: str | None) -> web.StreamResponse:
        if request.query.get("labelSelector"):
            raise RefusedError(400, "BadRequest", "a watch with a label selector is not known here")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        since = request.query.get("resourceVersion") or self.store.version
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", 300))):
                try:
                    async for change in self.store.watch(resource, namespace, since):
                        await response.write(_line(change.type, change.body))
                except RefusedError as error:
                    await response.write(_line("ERROR", _status_body(error.status, error.reason, str(error))))
        return response

    async def _create(self, request: web.Request) -> web.Response:
        return web.json_response(self.store.create(*_place(request), await _body(request)), status=201)

    async def _patch(self, request: web.Request) -> web.Response:
        resource, namespace = _place(request)
        if request.content_type != MERGE_PATCH:
            raise RefusedError(415, "UnsupportedMediaType", f"only {MERGE_PATCH} is known here")
        return web.json_response(
            self.store.patch(resource, namespace, request.match_info["name"], await _body(request))
        )

    async def _put_status(self, request: web.Request) -> web.Response:
        resource, namespace = _place(request)
        if not resource.has_status:
            raise RefusedError(404, "NotFound", f"{resource.plural} has no subresource status")
        name = request.match_info["name"]
        return web.json_response(self.store.put_status(resource, namespace, name, await _body(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        options = await _body(request) if request.can_read_body else {}
        return web.json_response(self.store.delete(*_place(request), request.match_info["name"], options))


@asynccontextmanager
async def running(store: Store, *, kubeconfig: Path, namespace: str) -> AsyncIterator[ApiServer]:
    """An API server on a free port of loopback, and a `kubeconfig` that leads to it."""
    token = secrets.token_urlsafe()
    server = ApiServer(store, token=token)
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address, port = runner.addresses[0][:2]
        _write_kubeconfig(kubeconfig, f"http://{address}:{port}", token=token, namespace=namespace)
        yield server
    finally:
        await runner.cleanup()


def _write_kubeconfig(path: Path, server: str, *, token: str, namespace: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "demo", "cluster": {"server": server}}],
        "users": [{"name": "demo", "user": {"token": token}}],
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo", "namespace": namespace}}],
        "current-context": "demo",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))


def _base(resource: Resource) -> str:
    return f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"


def _resource(request: web.Request) -> Resource:
    plural = request.match_info["plural"]
    for resource in RESOURCES:
        if resource.plural == plural and request.path.startswith(_base(resource) + "/"):
            return resource
    raise web.HTTPNotFound


def _place(request: web.Request) -> tuple[Resource, str]:
    return _resource(request), request.match_info["namespace"]


async def _body(request: web.Request) -> dict[str, Any]:
    body = json.loads(await request.read())
    if not isinstance(body, dict):
        raise RefusedError(400, "BadRequest", "expected a JSON object")
    return body


def _line(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def _status_body(status: int, reason: str, message: str) -> dict[str, Any]:
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**head, "message": message, "reason": reason, "code": status}


def _status(status: int, reason: str, message: str) -> web.Response:
    return web.json_response(_status_body(status, reason, message), status=status)
