"""The README's way without Helm, word for word, into an empty cluster; as far as that goes without a node."""

import base64
import re
from collections.abc import Iterator

import pytest

from harness import apiserver as apiservers
from harness import build
from harness.apiserver import ApiServer
from healthheartbeat.api import crd
from support import readme
from support.chart import pod_specs
from support.plain_manifests import MANIFEST

NAMESPACE = "healthheartbeat"
PAGED = {"name": "HEALTHHEARTBEAT_ALERTMANAGER_URL", "value": "http://alertmanager.monitoring:9093"}


@pytest.fixture
def empty(apiserver: ApiServer) -> Iterator[ApiServer]:
    """An API server of the test's own: in the shared one, a namespace once deleted would never be gone."""
    assert apiserver  # whose programs are built
    with apiservers.running(build.ensure(build.API, lambda _: None)) as server:
        yield server


def test_the_readme_installs_it_without_helm(empty: ApiServer) -> None:
    (install,) = readme.blocks("Install")
    readme.shell(install, {**empty.environment, "IMAGE": "registry.example/healthheartbeat", "TAG": "9.9.9"})

    empty.kubectl("wait", "--for=condition=Established", f"crd/{crd.NAME}", "--timeout=20s")
    there = empty.get_json("-f", str(MANIFEST))["items"]
    specs = dict(pod_specs(there))
    assert len(specs) == 3
    assert {container["image"] for spec in specs.values() for container in spec["containers"]} == {
        "registry.example/healthheartbeat:9.9.9"
    }
    for name in ("Deployment healthheartbeat", "Deployment healthheartbeat-watchdog"):
        assert [PAGED in container["env"] for container in specs[name]["containers"]] == [True], name
    secret = empty.get_json("secret", "healthheartbeat-watchdog", "-n", NAMESPACE)["data"]
    assert re.fullmatch(rb"[0-9a-f]{64}", base64.b64decode(secret["secret"]))
