"""Sample bots in a real cluster: what is applied for them, and how a test breaks them."""

import json
from collections.abc import Mapping
from typing import Any

from harness.cluster import Cluster
from harness.processes import until

PORT = 8080


def service_of(slug: str) -> str:
    return slug.replace(".", "-").replace("_", "-")


def deployment(
    slug: str,
    image: str,
    *,
    replicas: int = 1,
    port: int = PORT,
    flags: tuple[str, ...] = (),
    probed: bool = False,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The Deployment of one bot; `probed`: with a readiness probe of the kubelet's; `labels`: more of its pods."""
    name = service_of(slug)
    container: dict[str, Any] = {
        "name": "bot",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["bot", "--slug", slug, "--port", str(port), "--control", *flags],
        "ports": [{"name": "http", "containerPort": port}],
    }
    if probed:
        container["readinessProbe"] = {
            "httpGet": {"path": f"/internal/health/{slug}", "port": "http"},
            "periodSeconds": 1,
            "failureThreshold": 1,
        }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"bot": name}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": {"bot": name, **(labels or {})}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }


def service(slug: str, *, port: int = PORT) -> dict[str, Any]:
    """The Service that makes the bot one."""
    name = service_of(slug)
    ports = [{"name": "http", "port": port, "targetPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"bot": name}, "ports": ports},
    }


def heartbeat(name: str, **spec: Any) -> dict[str, Any]:
    """A HealthHeartbeat for tests: a second's interval, no startup grace."""
    restart = {"startupGraceSeconds": 0, "windowSeconds": 60, **spec.pop("restart", {})}
    return {
        "apiVersion": "gov.polytraders.io/v1",
        "kind": "HealthHeartbeat",
        "metadata": {"name": name},
        "spec": {"heartbeatIntervalSeconds": 1, "restart": restart, **spec},
    }


class Bots:
    """The bots of one namespace, and the resource named `hh` that watches them."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._image = image

    def start(self, *slugs: str, port: int = PORT, timeout_s: float = 120, **options: Any) -> None:
        """Apply Deployments and Services, and wait until all their pods answer."""
        for slug in slugs:
            manifests = (deployment(slug, self._image, port=port, **options), service(slug, port=port))
            self.cluster.apply(*manifests, namespace=self.namespace)
        replicas = options.get("replicas", 1)
        for slug in slugs:
            until(lambda slug=slug: len(self.ips(slug)) == replicas, what=f"{slug} has its pods", timeout_s=timeout_s)
            for ip in self.ips(slug).values():
                until(
                    lambda ip=ip, slug=slug: self.cluster.fetch(f"http://{ip}:{port}/internal/health/{slug}"),
                    what=f"{slug} answers at {ip}",
                    timeout_s=60,
                )

    def watch(self, *bots: Mapping[str, Any], **spec: Any) -> None:
        """Apply the resource, and wait for its first sweep."""
        self.cluster.apply(heartbeat("hh", bots=list(bots), **spec), namespace=self.namespace)
        until(lambda: self.status()["totalBots"] == len(bots), what="the first sweep", timeout_s=60)

    def status(self) -> dict[str, Any]:
        """The resource's status, through the API."""
        return dict(self.cluster.get_json("hh", "hh", "-n", self.namespace)["status"])

    def bot(self, slug: str) -> dict[str, Any]:
        """One entry of status.bots."""
        return next(bot for bot in self.status()["bots"] if bot["slug"] == slug)

    def condition(self, kind: str) -> str:
        """A condition's status; empty where there is no such condition."""
        return next((str(one["status"]) for one in self.status()["conditions"] if one["type"] == kind), "")

    def pods(self, slug: str) -> list[dict[str, Any]]:
        """Its pods that are not on their way out."""
        items = self.cluster.get_json("pods", "-n", self.namespace, "-l", f"bot={service_of(slug)}")["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def uids(self, slug: str) -> set[str]:
        """UIDs of its pods."""
        return {pod["metadata"]["uid"] for pod in self.pods(slug)}

    def ips(self, slug: str) -> dict[str, str]:
        """Addresses of its running pods, by UID."""
        return {
            pod["metadata"]["uid"]: pod["status"]["podIP"]
            for pod in self.pods(slug)
            if pod["status"].get("phase") == "Running" and "podIP" in pod["status"]
        }

    def control(self, slug: str, *, uid: str | None = None, port: int = PORT, **fault: Any) -> None:
        """Break a bot, or mend it: the pod `uid`, or its only one."""
        ips = self.ips(slug)
        (ip,) = [ips[uid]] if uid else ips.values()
        self.control_at(ip, port=port, **fault)

    def control_at(self, ip: str, *, port: int = PORT, **fault: Any) -> None:
        """Break or mend the bot at this address, also while nobody can say whose it is."""
        reply = self.cluster.fetch(
            f"http://{ip}:{port}/control",
            method="POST",
            body=json.dumps(fault).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert reply.status == 200, reply

    def until_state(self, slug: str, state: str, *, timeout_s: float = 40) -> dict[str, Any]:
        """Wait until the status calls the bot so, and return its entry."""

        def entry() -> dict[str, Any]:
            bot = self.bot(slug)
            assert bot["state"] == state, bot
            return bot

        return until(entry, what=f"{slug} is {state}", timeout_s=timeout_s)
