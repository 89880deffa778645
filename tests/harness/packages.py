"""The Debian packages that the harness uses, installed when missing."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import locking, paths, processes

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLICY = Path("/usr/sbin/policy-rc.d")

NODE = {
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "mount": "mount",
}
IMAGES = {
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "gcc": "gcc",
    "/usr/include/stdlib.h": "libc6-dev",
    "busybox": "busybox-static",
}
APISERVER = {"openssl": "openssl", "setpriv": "util-linux"}
ALERTS = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
BROWSER = {"chromium": "chromium", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core"}


class MissingPackagesError(Exception):
    """Packages are missing and cannot be installed from here; the message names them."""


def path_with(*folders: Path) -> str:
    """A PATH with these folders before the system's own, sbin included."""
    return ":".join([*map(str, folders), SYSTEM_PATH])


def missing(needed: dict[str, str]) -> list[str]:
    """The packages whose program (by name) or file (by absolute path) is not on this machine."""

    def present(thing: str) -> bool:
        return Path(thing).exists() if thing.startswith("/") else shutil.which(thing, path=SYSTEM_PATH) is not None

    return sorted({package for thing, package in needed.items() if not present(thing)})


def program(name: str) -> Path:
    """Where a program that a package brought is. Raises FileNotFoundError when it is not there."""
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise FileNotFoundError(f"no program {name} in {SYSTEM_PATH}")
    return Path(found)


def ensure(needed: dict[str, str], say: Callable[[str], None]) -> None:
    """Install what is missing. Raises MissingPackagesError when not root, CommandFailedError when apt-get fails."""
    packages = missing(needed)
    if not packages:
        return
    if os.geteuid() != 0:
        raise MissingPackagesError(
            f"not root and these packages are missing: sudo apt-get install {' '.join(packages)}"
        )
    say(f"installing {' '.join(packages)}")
    with locking.held(paths.cache_root() / "apt.lock", timeout_s=900, say=say), _no_service_starts():
        _install(packages)
    if still := missing(needed):
        raise MissingPackagesError(f"installed, but what they should bring is not there: {' '.join(still)}")


def _install(packages: Iterable[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    with suppress(
        processes.CommandFailedError
    ):  # a broken third-party list must not stop us when Debian's own is there
        processes.run([*apt, "update"], timeout_s=300, env=env)
    processes.run([*apt, "install", "-y", "--no-install-recommends", *packages], timeout_s=900, env=env)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """While packages are installed their daemons are not started: the tests start their own, where they want them."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
