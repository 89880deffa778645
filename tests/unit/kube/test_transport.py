"""Connections to the API server end with the client, also where the other side never ends its own."""

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.kinds import PODS
from support.fake_api import write_kubeconfig

ANSWER = b'{"kind": "Status", "status": "Success"}'


@contextmanager
def answers_and_does_no_more(certificate: Path) -> Iterator[str]:
    """An API server that answers each request over TLS, and then neither reads nor closes."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    held: list[ssl.SSLSocket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(tls.wrap_socket(connection, server_side=True))
            held[-1].recv(65536)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)
            held[-1].send(head + ANSWER)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()
        for each in held:
            each.close()


@pytest.mark.parametrize("method", ["get", "delete"])
def test_no_connection_outlives_the_client(certificate: Path, tmp_path: Path, method: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    with answers_and_does_no_more(certificate) as server:
        write_kubeconfig(kubeconfig, server, authority=certificate)

        async def story() -> None:
            async with KubeClient(kubeconfig=kubeconfig) as client:
                await getattr(client, method)(PODS, "ns", "p")

        asyncio.run(story())
        gc.collect()  # what was left open complains as it goes, which fails the test
