"""The configuration files of a node's programs, as values; `write_all` puts them where the programs look."""

import json
from pathlib import Path
from typing import Any

from harness import cgroups
from harness.isolation import NODE_IP

PAUSE_IMAGE = "localhost/onenode-pause:1"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
NODE_NAME = "node"
CONTAINERD_SOCKET = "/run/containerd.sock"


def containerd(data: Path) -> str:
    """Content on disk, sockets and mounts in the node's own /run."""
    return f"""\
version = 3
root = "{data}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[ttrpc]
  address = "/run/containerd.ttrpc.sock"
[plugins.'io.containerd.cri.v1.images']
  max_concurrent_downloads = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true   # root may not lower an OOM score everywhere
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "{data}/cni"
"""


def cni() -> dict[str, Any]:
    """Pods are routed, not bridged: what they send each other passes the node's netfilter hooks, so that Services work
    without br_netfilter and a test can cut any two of them apart with one nftables rule.
    """
    return {
        "cniVersion": "1.0.0",
        "name": "onenode",
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-ipam",
                    "ranges": [[{"subnet": POD_NETWORK}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet(name: str, data: Path) -> dict[str, Any]:
    """A kubelet that shares its machine: no limits of its own, no eviction because the developer's disk is full."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name_of(name)}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "clusterDNS": [NODE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "podLogsDir": f"{data}/pod-logs",
        "volumePluginDir": f"{data}/volume-plugins",
        "localStorageCapacityIsolation": False,
        "maxPods": 250,
        "eventRecordQPS": 0,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "0%",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
    }


def proxy(data: Path) -> dict[str, Any]:
    """conntrack's limits are the machine's, so they are left alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{data}/node.kubeconfig"},
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": POD_NETWORK,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
    }


def corefile(data: Path) -> str:
    """The names of Services, and no others: nothing here reaches further than the node."""
    return f"""\
.:53 {{
    bind 127.0.0.1 {NODE_IP}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {data}/node.kubeconfig
        ttl 5
    }}
    cache 5
}}
"""


def write_all(name: str, data: Path) -> None:
    """Write every file; they name each other by where `data` is."""
    for folder in ("cni", "kubelet", "pod-logs", "volume-plugins"):
        (data / folder).mkdir(exist_ok=True)
    (data / "containerd.toml").write_text(containerd(data))
    (data / "cni" / "10-onenode.conflist").write_text(json.dumps(cni()))
    (data / "kubelet.json").write_text(json.dumps(kubelet(name, data)))
    (data / "proxy.json").write_text(json.dumps(proxy(data)))
    (data / "Corefile").write_text(corefile(data))
