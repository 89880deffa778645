"""What several of these tests share: an Alertmanager, and the CRD."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import KubernetesApi
from support import crd
from support.alertmanager import Alertmanager, running


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    with running(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def api(apiserver: KubernetesApi) -> KubernetesApi:
    """The API server with the CRD installed and served."""
    crd.install(apiserver)
    return apiserver


@pytest.fixture
def namespace(api: KubernetesApi) -> Iterator[str]:
    with api.namespace("crd") as name:
        yield name
