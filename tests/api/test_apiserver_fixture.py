"""The API server that the tests of this folder talk to."""

import pytest

from harness.apiserver import ApiServer
from harness.processes import CommandFailedError, until


def test_it_serves_the_api_and_keeps_what_it_is_given(apiserver: ApiServer) -> None:
    with apiserver.namespace() as name:
        apiserver.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}}, namespace=name
        )
        assert apiserver.get_json("configmap", "kept", "-n", name)["data"] == {"a": "b"}


def test_it_can_be_frozen_and_thawed(apiserver: ApiServer) -> None:
    server = apiserver.component("kube-apiserver")
    server.freeze()
    try:
        with pytest.raises(CommandFailedError):
            apiserver.kubectl("get", "--raw", "/readyz", "--request-timeout=1s")
    finally:
        server.thaw()
    until(lambda: apiserver.kubectl("get", "--raw", "/readyz") == "ok", what="it answers again", timeout_s=20)
