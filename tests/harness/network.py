"""Calls made from inside a network namespace, without starting a program there: only the calling thread moves in."""

import ctypes
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Reply:
    """What an HTTP server answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode()


def inside(pid: int, call: Callable[[], T]) -> T:
    """Run `call` in a thread of its own that is in the network namespace of process `pid`; return what it returns.

    Sockets made there are of that network. Names are still looked up by the host's resolver: use addresses.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def body() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns to the network of pid {pid}")
            finally:
                os.close(namespace)
            returned.append(call())
        except BaseException as error:  # noqa: BLE001  raised again below, in the thread that asked
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return returned[0]


def fetch(
    url: str,
    *,
    timeout_s: float = 5,
    authority: Path | None = None,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One HTTP request, no proxies, whatever the status. Raises OSError when there is no answer."""
    context = ssl.create_default_context(cafile=str(authority)) if authority else None
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))  # noqa: S310
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as response:
            return Reply(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read(), dict(error.headers))
