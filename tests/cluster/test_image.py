"""The image as a registry would hold it: what its configuration says, and how much it adds to its base."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness import images
from harness.cluster import Cluster
from healthheartbeat import __version__

pytestmark = pytest.mark.cluster

MAX_OVER_BASE_BYTES = 200 * 1000 * 1000


@pytest.fixture(scope="module")
def archive(cluster: Cluster, image: str) -> Path:
    """The docker-archive that the Dockerfile was built into."""
    if cluster.kind == "current":
        pytest.skip("current: the image was built and pushed by somebody else")
    made = images.project(print)
    assert made.name == image
    return made.tar


def config(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        return json.load(tar.extractfile(manifest[0]["Config"]))  # type: ignore[arg-type]


def layers(archive: Path) -> dict[str, int]:
    """Bytes of each layer, uncompressed, by the digest of its content."""
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        names = manifest[0]["Layers"]
        digests = config(archive)["rootfs"]["diff_ids"]
        return {digest: tar.getmember(name).size for digest, name in zip(digests, names, strict=True)}


def test_the_image_runs_as_a_numeric_user_that_is_not_root(archive: Path) -> None:
    user, _, group = config(archive)["config"]["User"].partition(":")
    assert user.isdecimal()
    assert group.isdecimal()
    assert int(user) > 0


def test_the_image_says_what_it_is(archive: Path) -> None:
    labels = config(archive)["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "healthheartbeat"
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {f"org.opencontainers.image.{name}" for name in ("description", "revision", "source", "vendor")} <= set(
        labels
    )


def test_the_image_adds_less_than_200_mb_to_its_base(archive: Path) -> None:
    base = layers(images.base(print).tar)
    added = {digest: size for digest, size in layers(archive).items() if digest not in base}
    assert len(added) < len(layers(archive)), "it shares no layer with its base"
    assert sum(added.values()) < MAX_OVER_BASE_BYTES, {key[:19]: size // 1_000_000 for key, size in added.items()}


def test_the_image_has_every_command(cluster: Cluster, image: str) -> None:
    """As installed: read-only root, no rights, a user that the image does not know."""
    script = (
        "healthheartbeat --version && polytraders --help >/dev/null && kubectl-healthheartbeat --help >/dev/null"
        " && python3 -c 'import os; print(os.getuid())'"
    )
    container = {
        "name": "it",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "securityContext": {
            "runAsUser": 1_000_700_000,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    with cluster.namespace("image") as namespace:
        cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "it"},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
            namespace=namespace,
        )
        done = "jsonpath={.status.phase}=Succeeded"
        cluster.kubectl("wait", f"--for={done}", "pod/it", "-n", namespace, "--timeout=60s", timeout_s=70)
        said = cluster.kubectl("logs", "it", "-n", namespace).split()
    assert said == ["healthheartbeat", __version__, "1000700000"]
