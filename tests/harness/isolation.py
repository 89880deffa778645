"""What the node's init does to its fresh namespaces before anything runs in them: mounts, then the network."""

import os
import subprocess
from pathlib import Path

NODE_IP = "10.10.0.1"
RUN = Path("/run")
_SHIELDED = {  # the kubelet sets these, and they are the whole machine's: here it sets a file of its own instead
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def mount_all(data: Path) -> None:
    """Its own /run, names found through the node's own DNS, and nothing written to the host but in `data`."""
    resolv_conf = Path("/etc/resolv.conf").resolve()  # before /run is hidden: it may point there
    _call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(RUN))
    (RUN / "netns").mkdir()
    ours = RUN / "onenode" / "resolv.conf"
    ours.parent.mkdir()
    _call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/log")
    _write_aside(Path("/var/lib"), data)
    ours.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    if not resolv_conf.exists():
        resolv_conf.parent.mkdir(parents=True, exist_ok=True)
        resolv_conf.touch()
    _call("mount", "--bind", str(ours), str(resolv_conf))
    for name, value in _SHIELDED.items():
        setting = Path("/proc/sys") / name
        if setting.exists():
            shield = RUN / "onenode" / name.replace("/", "-")
            shield.write_text(f"{value}\n")
            _call("mount", "--bind", str(shield), str(setting))


def _write_aside(folder: Path, data: Path) -> None:
    """Keep what is written into `folder` in memory, but for what is written into `data`, should that be inside."""
    aside = RUN / "onenode" / folder.name
    for part in ("upper", "work", "data"):
        (aside / part).mkdir(parents=True)
    _call("mount", "--bind", str(data), str(aside / "data"))
    options = f"lowerdir={folder},upperdir={aside / 'upper'},workdir={aside / 'work'}"
    _call("mount", "-t", "overlay", "-o", options, "overlay", str(folder))
    if data.is_relative_to(folder):
        _call("mount", "--bind", str(aside / "data"), str(data))


def network() -> None:
    """A loopback, an address for the node and a way for everything else to end here: nothing reaches further."""
    env_path = f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"
    lines = (
        "link set lo up",
        "link add node0 type bridge",
        f"address add {NODE_IP}/24 dev node0",
        "link add carrier0 type veth peer name carrier1",  # a bridge with no port has no carrier
        "link set carrier0 master node0",
        "link set carrier0 up",
        "link set carrier1 up",
        "link set node0 up",
        f"route add default via {NODE_IP}",
    )
    for line in lines:
        _call("ip", *line.split(), path=env_path)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _call(*argv: str, path: str | None = None) -> None:
    env = {**os.environ, "PATH": path} if path else None
    subprocess.run(argv, check=True, timeout=30, env=env, stdin=subprocess.DEVNULL)
