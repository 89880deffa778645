"""An API server of a few lines on loopback that fails in the ways that real ones, and the network between, do."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from healthheartbeat.adapters.kube.client import KubeClient


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


TOKEN = "t0ken"
AWAY = "http://127.0.0.1:9"
"""Where nothing listens."""

Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[bool]]
"""Answers one request; False: the connection ends."""


def reply(status: int, body: object, *, raw: bytes | None = None, headers: str = "") -> Handler:
    """Answer with `status` and `body` as JSON, or with `raw`."""
    content = json.dumps(body).encode() if raw is None else raw

    async def answer(_: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{headers}\r\n".encode() + content)
        await writer.drain()
        return True

    return answer


def refusal(status: int, reason: str, message: str = "no") -> Handler:
    """A refusal in the API server's own words."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": status,
    }
    return reply(status, body)


async def cut(_: Request, __: asyncio.StreamWriter) -> bool:
    """Take the request and close the connection."""
    return False


async def reset(_: Request, writer: asyncio.StreamWriter) -> bool:
    """Take the request and reset the connection."""
    writer.transport.abort()
    return False


async def hang(_: Request, __: asyncio.StreamWriter) -> bool:
    """Take the request and never answer."""
    await asyncio.Event().wait()
    return False


async def hang_in_body(_: Request, writer: asyncio.StreamWriter) -> bool:
    """Answer 200 and begin a body that does not end."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"kind":')
    await writer.drain()
    await asyncio.Event().wait()
    return False


async def cut_in_body(_: Request, writer: asyncio.StreamWriter) -> bool:
    """Answer 200 and end in the middle of the body."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"kind":')
    await writer.drain()
    return False


@dataclass
class FakeApi:
    """Answers each request with the next of `script`, or with `default` when there is none left."""

    kubeconfig: Path
    server: str = ""
    default: Handler = field(default_factory=lambda: reply(200, {"kind": "Thing"}))
    script: list[Handler] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self, *handlers: Handler) -> None:
        self.script.extend(handlers)

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[KubeClient]:
        async with KubeClient(kubeconfig=self.kubeconfig, **{"timeout_s": 2.0, **options}) as client:
            yield client

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while request := await _read(reader, number):
                self.requests.append(request)
                self.asked.set()
                handler = self.script.pop(0) if self.script else self.default
                if not await handler(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader, connection: int) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    at = asyncio.get_running_loop().time()
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines) if key}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method=method, target=target, headers=headers, body=body, connection=connection, at=at)


def write_kubeconfig(path: Path, server: str, *, token: str = TOKEN, authority: Path | None = None) -> None:
    """A kubeconfig of one context; `authority`: a certificate file."""
    cluster = {"server": server} | ({"certificate-authority": str(authority)} if authority else {})
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )


@asynccontextmanager
async def running(directory: Path, *, certificate: Path | None = None) -> AsyncIterator[FakeApi]:
    """A FakeApi that listens; its kubeconfig is in `directory`. With `certificate` (its key in it too): over TLS."""
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    fake = FakeApi(kubeconfig=directory / "kubeconfig")
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(fake.connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1000, ssl=tls)
    scheme, port = "http" if tls is None else "https", server.sockets[0].getsockname()[1]
    fake.server = f"{scheme}://127.0.0.1:{port}"
    write_kubeconfig(fake.kubeconfig, fake.server)
    try:
        yield fake
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -batch -subj /CN=fake"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *words.split(), *names], cwd=folder, check=True, capture_output=True, timeout=30)
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both
