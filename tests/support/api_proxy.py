"""A way to the API server that can be made slow or refusing for whoever goes through it, and for nobody else."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from harness.cluster import KubernetesApi
from healthheartbeat.adapters.kube import credentials
from support.herd import LOADING

HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "host", "authorization", "date", "server"}


@dataclass
class ApiProxy:
    """HTTP on loopback in front of `apiserver`, as its administrator. `kubeconfig` leads here.

    Set `delay_s` or `status` at any time; a watch under way is cut by `cut`. `calls`: how many came. `methods`: what
    `status` is answered to; none are all of them.
    """

    apiserver: KubernetesApi
    folder: Path
    delay_s: float = 0.0
    status: int | None = None
    methods: tuple[str, ...] = ()
    calls: int = 0
    port: int = 0
    _under_way: set["asyncio.Task[object]"] = field(default_factory=set)
    _administrator: dict[str, str] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def kubeconfig(self) -> Path:
        """Leads to this proxy."""
        path = self.folder / f"kubeconfig-{self.port}"
        server = {"cluster": {"server": f"http://127.0.0.1:{self.port}"}, "name": "proxy"}
        context = {"context": {"cluster": "proxy", "user": "proxy"}, "name": "proxy"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [server],
            "users": [{"name": "proxy", "user": {"token": "any"}}],
            "contexts": [context],
            "current-context": "proxy",
        }
        path.write_text(json.dumps(content))
        return path

    def slow(self, delay_s: float) -> None:
        """From now on each call, and those under way, take so much longer."""
        self.delay_s = delay_s
        self.cut()

    def refuse(self, status: int, *methods: str) -> None:
        """From now on everything, or these methods, are answered with this status."""
        self.status, self.methods = status, methods
        self.cut()

    def mend(self) -> None:
        """From now on all is well."""
        self.delay_s, self.status, self.methods = 0.0, None, ()

    def cut(self) -> None:
        """Cut everything under way."""

        def cancel() -> None:
            for task in self._under_way:
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)

    def serve(self, ready: "Future[None]", stop: "Future[asyncio.Event]") -> None:
        """Run until told to stop; for a thread of its own."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(ready, stop))

    async def _serve(self, ready: "Future[None]", stop: "Future[asyncio.Event]") -> None:
        with LOADING:
            loaded = await credentials.load(kubeconfig=self.apiserver.kubeconfig)
        connector = aiohttp.TCPConnector(ssl=loaded.tls, limit=0)
        self._administrator = {"Authorization": await loaded.authorization() or ""}
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(), auto_decompress=False
        ) as upstream:

            async def answer(request: web.BaseRequest) -> web.StreamResponse:
                task = asyncio.current_task()
                assert task is not None
                self._under_way.add(task)
                try:
                    return await self._pass_on(request, upstream, loaded.server)
                finally:
                    self._under_way.discard(task)

            runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            told = asyncio.Event()
            stop.set_result(told)
            ready.set_result(None)
            await told.wait()
            await runner.cleanup()

    async def _pass_on(
        self, request: web.BaseRequest, upstream: aiohttp.ClientSession, server: str
    ) -> web.StreamResponse:
        self.calls += 1
        if self.status is not None and (not self.methods or request.method in self.methods):
            if self.status == 404:
                return web.Response(text="no such backend", status=self.status)
            words = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.status}
            return web.json_response({**words, "message": "the proxy says no"}, status=self.status)
        body = await request.read()
        await asyncio.sleep(self.delay_s)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= self._administrator
        try:
            async with upstream.request(
                request.method, f"{server}{request.raw_path}", data=body or None, headers=headers, allow_redirects=False
            ) as reply:
                kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP_BY_HOP}
                response = web.StreamResponse(status=reply.status, headers=kept)
                await response.prepare(request)
                async for piece in reply.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, ConnectionError):
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=502)


def _here(call: Callable[[], None]) -> None:
    call()


@contextmanager
def proxied(
    apiserver: KubernetesApi, folder: Path, *, within: Callable[[Callable[[], None]], object] = _here
) -> Iterator[ApiProxy]:
    """A proxy for a block; `within` calls what it is given in the network where the proxy is to be."""
    proxy = ApiProxy(apiserver, folder)
    ready: Future[None] = Future()
    stop: Future[asyncio.Event] = Future()
    thread = threading.Thread(target=within, args=(lambda: proxy.serve(ready, stop),), name="API proxy")
    thread.start()
    try:
        ready.result(10)
        yield proxy
    finally:
        with contextlib.suppress(RuntimeError):
            proxy._loop.call_soon_threadsafe(stop.result(10).set)
        thread.join(10)
