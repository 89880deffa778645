"""The one client of the Kubernetes API: raw JSON, a timeout on every call, definite errors kept apart from doubt."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from healthheartbeat.adapters import failures
from healthheartbeat.adapters.kube import credentials, listing, replies
from healthheartbeat.adapters.kube.credentials import Credentials
from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable, CredentialsError
from healthheartbeat.adapters.kube.kinds import Kind
from healthheartbeat.adapters.kube.listing import Listing
from healthheartbeat.adapters.kube.transport import Sent, Transport

DEFAULT_TIMEOUT_S: Final = 5.0
PAGE_SIZE: Final = 250
"""Objects per page of a list, which is decoded in one turn of the loop: 5 ms for EndpointSlices."""
RELOAD_EVERY_S: Final = 10.0
GONE: Final = 410
UNAUTHORIZED: Final = 401
MERGE_PATCH: Final = "application/merge-patch+json"

JSON_PATCH: Final = "application/json-patch+json"

Object = dict[str, Any]
Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class KubeClient:
    """Calls to one API server, as an async context manager.

    `kubeconfig` and `context` as for `credentials.load`; `timeout_s` is every call's unless it brings its own, and
    covers all pages of a list. Every method raises ApiError or one of its kinds (`errors`), nothing else.
    """

    def __init__(
        self,
        *,
        kubeconfig: str | os.PathLike[str] | None = None,
        context: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self.timeout_s = timeout_s
        self._kubeconfig = kubeconfig
        self._context = context
        self._transport: Transport | None = None
        self._retired: list[Transport] = []
        self._doubtful = False
        self._loaded_at = 0.0
        self._loading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Read the configuration. Nothing is sent yet. Raises CredentialsError."""
        self._transport = Transport(await self._load())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        transports = [*self._retired, *([self._transport] if self._transport else [])]
        self._retired, self._transport = [], None
        for transport in transports:
            await transport.close()

    @property
    def credentials(self) -> Credentials:
        """How and as whom the API server is reached right now."""
        if self._transport is None:
            raise RuntimeError("KubeClient is used outside of its `async with`")
        return self._transport.credentials

    @property
    def ahead_ms(self) -> int:
        """How far the API server's clock is ahead of ours, as of its last answer; 0 before any."""
        return self._transport.ahead_ms if self._transport else 0

    async def get(self, kind: Kind, namespace: str | None, name: str, *, timeout_s: float | None = None) -> Object:
        """One object."""
        return await self._call(Call("get", "GET", kind, namespace, name), timeout_s=timeout_s)

    async def list(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = PAGE_SIZE,
        timeout_s: float | None = None,
        without: str = "",
    ) -> tuple[Object, ...]:
        """Every object of `kind` in `namespace` (None: in all): `listing`, decoded."""
        found = await self.listing(
            kind,
            namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            page_size=page_size,
            timeout_s=timeout_s,
            without=without,
        )
        return await found.objects()

    async def listing(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = PAGE_SIZE,
        timeout_s: float | None = None,
        without: str = "",
    ) -> Listing:
        """The objects of `kind` in `namespace`, not decoded yet, as of one moment: a consistent read, page by page.

        `timeout_s` is for all pages together; `without` as in `listing.page`. A list that expires between two pages is
        begun again, once.
        """
        call = Call("list", "GET", kind, namespace)
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {"limit": str(page_size)} | {key: words for key, words in selectors.items() if words}
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        try:
            return await self._pages(call, query, deadline, timeout_s, without)
        except ApiError as error:
            if error.status != GONE:
                raise
        return await self._pages(call, query, deadline, timeout_s, without)

    async def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        body: Body,
        *,
        subresource: str | None = None,
        content_type: str = MERGE_PATCH,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Object:
        """Patch one object, by default as a JSON merge patch; JSON patch and server-side apply by `content_type`."""
        call = Call("patch", "PATCH", kind, namespace, name, subresource)
        return await self._call(call, body=body, content_type=content_type, query=query, timeout_s=timeout_s)

    async def post(
        self, kind: Kind, namespace: str | None, body: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> Object:
        """Create one object."""
        name = str((body.get("metadata") or {}).get("name") or "")
        return await self._call(Call("create", "POST", kind, namespace, posted=name), body=body, timeout_s=timeout_s)

    async def put(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        body: Mapping[str, Any],
        *,
        timeout_s: float | None = None,
        fresh: bool = False,
    ) -> Object:
        """Replace one object, under the resourceVersion in `body`; sent once only. `fresh`: over a new connection."""
        call = Call("update", "PUT", kind, namespace, name)
        return await self._call(call, body=body, timeout_s=timeout_s, once=True, fresh=fresh)

    async def put_status(
        self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> str:
        """Replace one object's status, likewise; returns the new resourceVersion, empty where the answer has none."""
        call = Call("update", "PUT", kind, namespace, name, "status")
        status, content = await self._exchange(call, body=body, timeout_s=timeout_s, once=True)
        return replies.read_version(status, content, words=call.words)

    async def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        options: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Object:
        """Delete one object, over a connection of its own, sent once only (decision 20); `options`: DeleteOptions."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **(options or {})}
        call = Call("delete", "DELETE", kind, namespace, name)
        return await self._call(call, body=body, timeout_s=timeout_s, once=True, fresh=True)

    async def _pages(
        self, call: "Call", query: Mapping[str, str], deadline: float, timeout_s: float, without: str
    ) -> Listing:
        pages: list[listing.Page] = []
        rest: dict[str, str] = {}
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            status, content = await self._exchange(call, query={**query, **rest}, timeout_s=timeout_s, left_s=left_s)
            page = listing.page(status, content, words=call.words, without=without)
            pages.append(page)
            token = page.metadata.get("continue")
            if not token:
                return Listing(call.words, pages)
            rest = {"continue": token}

    async def _call(self, call: "Call", **how: Any) -> Object:
        """Send one request, as `_exchange` does, and read the object that comes back."""
        status, content = await self._exchange(call, **how)
        return replies.read(status, content, words=call.words, write=call.method != "GET")

    async def _exchange(
        self,
        call: "Call",
        *,
        body: Body | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        left_s: float | None = None,
        once: bool = False,
        fresh: bool = False,
    ) -> tuple[int, bytes]:
        """Send one request; `once`, `fresh`: as `Transport.send`; `left_s`: what is left of its time."""
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        sent = Sent()
        try:
            async with asyncio.timeout(timeout_s if left_s is None else left_s):
                transport = await self._current()
                status, content = await transport.send(
                    call.method,
                    call.path,
                    body=body,
                    content_type=content_type,
                    query=query,
                    sent=sent,
                    once=once,
                    fresh=fresh,
                )
        except TimeoutError as error:
            raise self._no_answer(call, f"no answer within {timeout_s:.3g} s", sent, error) from error
        except CredentialsError as error:
            raise self._no_answer(call, str(error), sent, error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a header or URL that cannot be sent
            raise self._no_answer(call, failures.words(error), sent, error) from error
        if status == UNAUTHORIZED:
            self._doubtful = True
        return status, content

    def _no_answer(self, call: "Call", came: str, sent: Sent, error: BaseException) -> ApiUnavailable:
        if isinstance(error, aiohttp.ClientSSLError):
            self._doubtful = True
        server = self._transport.credentials.server if self._transport else "the API server"
        maybe_done = sent.began and call.method != "GET"
        doubt = "; it may have been carried out all the same" if maybe_done else ""
        return ApiUnavailable(
            0, "Unavailable", f"{call.words}: {came}{doubt}; see whether {server} can be reached", maybe_done=maybe_done
        )

    async def _current(self) -> Transport:
        """The transport to use: a new one after a 401, a certificate not verified, or an exec plugin's expiry."""
        if self._transport is None:
            raise RuntimeError("KubeClient is used outside of its `async with`")
        if not self._renewal_due():
            return self._transport
        async with self._loading:
            if self._renewal_due():
                fresh = Transport(await self._load())
                # Requests may still be under way on the old one; those on the one before are past every timeout.
                for transport in self._retired:
                    await transport.close()
                self._retired, self._transport = [self._transport], fresh
            return self._transport

    def _renewal_due(self) -> bool:
        wanted = self._doubtful or self.credentials.expired
        return wanted and time.monotonic() - self._loaded_at >= RELOAD_EVERY_S

    async def _load(self) -> Credentials:
        self._loaded_at = time.monotonic()
        self._doubtful = False
        return await credentials.load(kubeconfig=self._kubeconfig, context=self._context)


@dataclass(frozen=True, slots=True)
class Call:
    """One call, for the wire and in words. `verb` is RBAC's; `posted`: the name of an object that is created."""

    verb: str
    method: str
    kind: Kind
    namespace: str | None
    name: str | None = None
    subresource: str | None = None
    posted: str = ""

    @property
    def path(self) -> str:
        """The URL's path."""
        return self.kind.path(self.namespace, self.name, self.subresource)

    @property
    def words(self) -> str:
        """Such as `update healthheartbeats/status polytraders/production`."""
        resource = self.kind.plural + (f"/{self.subresource}" if self.subresource else "")
        name = self.name or self.posted
        where = "/".join(part for part in (self.namespace, name) if part) or "in all namespaces"
        return f"{self.verb} {resource} {where}"
