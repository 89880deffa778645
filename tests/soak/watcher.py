"""What the API server deletes, as it says so: a watch of a namespace's pods on a thread of its own."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3.exceptions
from kubernetes import client, watch
from kubernetes.config import new_client_from_config

from support.herd import LOADING

WATCH_S = 300
CALL_S = 5


@contextmanager
def deletes(kubeconfig: Path, namespace: str, told: Callable[[str, float], None]) -> Iterator[None]:
    """`told` hears the label `app` of every pod that is deleted in this block, and when (milliseconds since 1970)."""
    with LOADING:
        connection = new_client_from_config(str(kubeconfig))
    core = client.CoreV1Api(connection)
    since = core.list_namespaced_pod(namespace, _request_timeout=CALL_S).metadata.resource_version
    over = threading.Event()
    stream = watch.Watch()

    def follow() -> None:
        stream.resource_version = since
        while not over.is_set():
            try:
                for event in stream.stream(
                    core.list_namespaced_pod,
                    namespace,
                    resource_version=stream.resource_version,
                    timeout_seconds=WATCH_S,
                    _request_timeout=(CALL_S, WATCH_S + CALL_S),
                ):
                    if over.is_set():
                        return
                    if event["type"] == "DELETED":
                        told(event["object"].metadata.labels["app"], time.time() * 1000)
            except urllib3.exceptions.HTTPError:
                continue  # begun again where it ended

    thread = threading.Thread(target=follow, name="watch of pods", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        stream.stop()
