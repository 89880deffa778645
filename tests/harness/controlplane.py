"""The command lines of the node's programs; pure, so that a node can be found again by its data folder alone."""

from dataclasses import dataclass
from pathlib import Path

from harness.isolation import NODE_IP
from harness.nodefiles import NODE_NAME, SERVICE_NETWORK


@dataclass(frozen=True)
class Plan:
    """How one program is started, and the address that answers 200 once it does its work."""

    name: str
    argv: list[str]
    ready: str | None = None


def etcd(folder: str, *, client: str, peer: str) -> Plan:
    """Its data is in `folder`; it does not wait for the disk, which is for tests only."""
    return Plan(
        "etcd",
        [
            "etcd",
            "--name=default",
            f"--data-dir={folder}",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ],
        ready=f"{client}/health",
    )


def apiserver(data: Path, *, etcd_url: str, bind: str, reached_at: str, port: int) -> Plan:
    """With RBAC, service accounts that work in pods, and an administrator known by a token."""
    pki = data / "pki"
    return Plan(
        "kube-apiserver",
        [
            "kube-apiserver",
            f"--etcd-servers={etcd_url}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--secure-port={port}",
            f"--bind-address={bind}",
            f"--advertise-address={NODE_IP}",
            f"--tls-cert-file={pki}/server.crt",
            f"--tls-private-key-file={pki}/server.key",
            f"--cert-dir={pki}",
            f"--token-auth-file={pki}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            "--shutdown-delay-duration=0s",
        ],
        ready=f"https://{reached_at}:{port}/readyz",
    )


def node(data: Path, *, api_port: int) -> list[Plan]:
    """All programs of a node, in the order in which they are started."""
    client, pki = f"{data}/node.kubeconfig", data / "pki"
    tls = [f"--tls-cert-file={pki}/server.crt", f"--tls-private-key-file={pki}/server.key"]
    return [
        etcd("/run/etcd", client="http://127.0.0.1:2379", peer="http://127.0.0.1:2380"),
        Plan("containerd", ["containerd", "-c", f"{data}/containerd.toml"]),
        apiserver(data, etcd_url="http://127.0.0.1:2379", bind="0.0.0.0", reached_at=NODE_IP, port=api_port),
        Plan(
            "kube-controller-manager",
            [
                # One of each, so no election: with it they end when the API server is frozen for 10 s, which tests do.
                "kube-controller-manager",
                f"--kubeconfig={client}",
                "--leader-elect=false",
                *tls,
                f"--service-account-private-key-file={pki}/sa.key",
                "--use-service-account-credentials",
                f"--root-ca-file={pki}/ca.crt",
                f"--flex-volume-plugin-dir={data}/volume-plugins",
            ],
            ready="https://127.0.0.1:10257/healthz",
        ),
        Plan(
            "kube-scheduler",
            [
                "kube-scheduler",
                f"--kubeconfig={client}",
                "--leader-elect=false",
                *tls,
            ],
            ready="https://127.0.0.1:10259/healthz",
        ),
        Plan(
            "kubelet",
            [
                "kubelet",
                f"--config={data}/kubelet.json",
                f"--kubeconfig={client}",
                f"--root-dir={data}/kubelet",
                f"--cert-dir={data}/kubelet/pki",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={NODE_IP}",
            ],
            ready="http://127.0.0.1:10248/healthz",
        ),
        Plan("kube-proxy", ["kube-proxy", f"--config={data}/proxy.json"], ready="http://127.0.0.1:10256/healthz"),
        Plan("coredns", ["coredns", "-conf", f"{data}/Corefile"], ready="http://127.0.0.1:8181/ready"),
    ]
