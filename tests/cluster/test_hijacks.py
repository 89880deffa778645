"""A neighbour in the namespace who writes EndpointSlices: it can make a bot miss, which is paged about, and no more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.processes import CommandFailedError, until
from support.bots import PORT, Bots, service_of
from support.node_operator import Operator

pytestmark = pytest.mark.cluster

SLUG = "strat.victim"
BYSTANDER = "other.bystander"
SWEEPS = 5


def forged(name: str, *, pod: dict[str, Any], address: str, port: int = PORT) -> dict[str, Any]:
    """An EndpointSlice of SLUG's Service that says of `pod` that it is at `address` and `port`."""
    metadata = pod["metadata"]
    reference = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service_of(SLUG)}},
        "addressType": "IPv4" if "." in address else "IPv6",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}, "targetRef": reference}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


@contextmanager
def applied(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> Iterator[None]:
    cluster.apply(manifest, namespace=namespace)
    try:
        yield
    finally:
        cluster.kubectl("delete", "endpointslice", manifest["metadata"]["name"], "-n", namespace)


def nobody(bots: Bots, slug: str) -> str:
    """An address at which nobody answers, and which comes before the pods' own: their gateway's."""
    (own,) = bots.ips(slug).values()
    return str(ip_address(int(ip_address(own)) & ~0xFF | 1))


def swept_on(operator: Operator, namespace: str) -> None:
    sequence = operator.reports(namespace)[-1]["sequence"]
    until(
        lambda: operator.reports(namespace)[-1]["sequence"] >= sequence + SWEEPS,
        what=f"{SWEEPS} sweeps more",
        timeout_s=40,
    )


def test_a_pod_that_is_said_to_be_where_nobody_answers_is_paged_about_and_not_deleted(
    cluster: Cluster, bots: Bots, operator: Operator, pages: Callable[[str], list[dict[str, Any]]]
) -> None:
    bots.start(SLUG)
    bots.watch({"slug": SLUG})
    bots.until_state(SLUG, "Healthy")
    before, (pod,) = bots.uids(SLUG), bots.pods(SLUG)
    with applied(cluster, bots.namespace, forged("forged", pod=pod, address=nobody(bots, SLUG))):
        bots.until_state(SLUG, "Down")
        until(lambda: bots.bot(SLUG)["action"] == "restart_refused", what="refused", timeout_s=20)
        assert "the EndpointSlices of Service strat-victim are wrong" in bots.bot(SLUG)["actionReason"]
        until(lambda: pages(bots.namespace), what="the page", timeout_s=20)
        swept_on(operator, bots.namespace)
        assert bots.uids(SLUG) == before
    bots.until_state(SLUG, "Healthy")
    assert operator.restarts(bots.namespace) == 0


def test_a_pod_that_is_said_to_be_at_a_port_where_nobody_listens_is_paged_about_and_not_deleted(
    cluster: Cluster, bots: Bots, operator: Operator
) -> None:
    """At its very own address. The slice that is listed first is believed."""
    bots.start(SLUG)
    bots.watch({"slug": SLUG})
    bots.until_state(SLUG, "Healthy")
    before, (pod,) = bots.uids(SLUG), bots.pods(SLUG)
    (own,) = bots.ips(SLUG).values()
    with applied(cluster, bots.namespace, forged("aaa", pod=pod, address=own, port=9)):
        bots.until_state(SLUG, "Down")
        until(lambda: bots.bot(SLUG)["action"] == "restart_refused", what="refused", timeout_s=20)
        assert "was asked at port 9, and the Service leads to" in bots.bot(SLUG)["actionReason"]
        swept_on(operator, bots.namespace)
        assert bots.uids(SLUG) == before
    bots.until_state(SLUG, "Healthy")
    assert operator.restarts(bots.namespace) == 0


def test_a_bot_that_is_pointed_to_where_nobody_answers_is_paged_about_and_not_restarted(
    bots: Bots, operator: Operator
) -> None:
    """A resource's author who gives a bot that was healthy another port, path or Service."""
    bots.start(SLUG)
    bots.watch({"slug": SLUG})
    bots.until_state(SLUG, "Healthy")
    before = bots.uids(SLUG)
    bots.watch({"slug": SLUG, "port": 9})
    bots.until_state(SLUG, "Down")
    until(lambda: bots.bot(SLUG)["action"] == "restart_refused", what="refused", timeout_s=20)
    assert "not seen healthy since" in bots.bot(SLUG)["actionReason"]
    swept_on(operator, bots.namespace)
    assert bots.uids(SLUG) == before
    bots.watch({"slug": SLUG})
    bots.until_state(SLUG, "Healthy")
    assert operator.restarts(bots.namespace) == 0


def test_another_workloads_pod_that_is_said_to_be_behind_the_service_is_not_deleted(
    cluster: Cluster, bots: Bots, operator: Operator
) -> None:
    bots.start(SLUG, BYSTANDER)
    bots.watch({"slug": SLUG})
    bots.until_state(SLUG, "Healthy")
    before, (pod,) = {slug: bots.uids(slug) for slug in (SLUG, BYSTANDER)}, bots.pods(BYSTANDER)
    (own,) = bots.ips(BYSTANDER).values()
    bots.control(BYSTANDER, mode="fail")  # at its own address, and at the port to which the Service leads
    with applied(cluster, bots.namespace, forged("forged", pod=pod, address=own)):
        bots.until_state(SLUG, "Down")
        swept_on(operator, bots.namespace)
        assert {slug: bots.uids(slug) for slug in before} == before
    bots.until_state(SLUG, "Healthy")
    assert operator.restarts(bots.namespace) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "fe80::1"])
def test_the_api_server_takes_no_slice_that_leads_to_the_node_itself_or_a_clouds_metadata(
    cluster: Cluster, bots: Bots, address: str
) -> None:
    pod = {"metadata": {"namespace": bots.namespace, "name": "any", "uid": "any"}}
    with pytest.raises(CommandFailedError, match="may not be in the"):
        cluster.apply(forged("forged", pod=pod, address=address), namespace=bots.namespace)
