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
    script = (
        "healthheartbeat --version && polytraders --help >/dev/null && kubectl-healthheartbeat --help >/dev/null"
        " && python3 -c 'import os; print(os.getuid())'"
    )
    assert said(cluster, image, "sh", "-c", script).split() == ["healthheartbeat", __version__, "1000700000"]


def test_nothing_that_the_programs_load_has_to_be_compiled_first(cluster: Cluster, image: str) -> None:
    """A root that cannot be written keeps no bytecode: each start of each pod would compile it again."""
    script = (
        "import apprise, kopf, os, sys\n"
        "import healthheartbeat.cli.operator, healthheartbeat.cli.watchdog, healthheartbeat.cli.polytraders\n"
        "cached = [(name, getattr(module, '__cached__', None)) for name, module in sorted(sys.modules.items())]\n"
        "print(sum(bool(path) for _, path in cached) > 500)\n"
        "print([name for name, path in cached if path and not os.path.exists(path)])\n"
    )
    assert said(cluster, image, "python3", "-c", script).split() == ["True", "[]"]


def test_the_image_can_page_by_every_kind_of_address_that_is_documented(cluster: Cluster, image: str) -> None:
    urls = [
        "slack://TEVTOKEN1/BEVTOKEN2/abcdefghijklmnopqrstuvwx/#ops",
        "pagerduty://integration-key@api-key",
        "mailtos://me:secret@mail.example.com",
        "json://webhook.example.com",
    ]
    script = (
        "import sys\n"
        "from healthheartbeat.adapters.notify.service import AppriseService\n"
        "from healthheartbeat.adapters.notify.urls import Address\n"
        "for url in sys.argv[1:]: print(AppriseService(Address(url, 'given')).name)\n"
    )
    kinds = said(cluster, image, "python3", "-c", script, *urls).splitlines()
    assert kinds == [f"{kind} (given)" for kind in ("Slack", "Pager Duty", "E-Mail", "JSON")]


def said(cluster: Cluster, image: str, *command: str) -> str:
    """What a command in it prints. As installed: read-only root, no rights, a user that the image does not know."""
    container = {
        "name": "it",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
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
        return cluster.kubectl("logs", "it", "-n", namespace)
