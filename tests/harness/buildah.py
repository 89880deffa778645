"""The project's Dockerfile, built without Docker."""

import os
import re
import ssl
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from harness import packages, paths, processes
from harness.images import Image
from harness.processes import CommandFailedError

_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")  # what may differ by machine
_KEPT_LAYERS = 100  # some three builds of every line, and many more of the last few lines
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def build(name: str, dest: Path, *, scratch: Path, base: Image, say: Callable[[str], None]) -> None:
    """Build the Dockerfile on `base` and write the image, named `name`, as a docker-archive to `dest`.

    pip gets this machine's settings as build secrets, so that neither the Dockerfile nor the image holds any of them.
    """
    env = {
        "PATH": packages.SYSTEM_PATH,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "BUILDAH_ISOLATION": "chroot",
        "CONTAINERS_CONF": str(_containers_conf(scratch)),
        **{key: os.environ[key] for key in _PROXIES if key in os.environ},
    }
    buildah = _buildah(scratch, env)
    secrets = {"pip": scratch / "pip.conf", "ca": _authorities()}
    secrets["pip"].write_text(_pip_conf())
    if base.name not in processes.run([*buildah, "images", "--format", "{{.Name}}:{{.Tag}}"], timeout_s=60, env=env):
        processes.run([*buildah, "pull", f"docker-archive:{base.tar}"], timeout_s=300, env=env)
    say(f"building {name} from the Dockerfile")
    processes.run(
        [
            *buildah,
            "build",
            "--isolation=chroot",
            "--layers",
            "--pull-never",
            f"--build-arg=BASE={base.name}",
            *(f"--secret=id={key},src={path}" for key, path in secrets.items()),
            f"--tag={name}",
            paths.PROJECT,
        ],
        timeout_s=1200,
        env=env,
    )
    processes.run([*buildah, "push", name, f"docker-archive:{dest}:{name}"], timeout_s=300, env=env)
    layers = processes.run([*buildah, "images", "--all", "--quiet"], timeout_s=60, env=env).splitlines()
    if len(layers) > _KEPT_LAYERS:
        processes.run([*buildah, "rmi", "--all", "--force"], timeout_s=120, env=env)


def _containers_conf(scratch: Path) -> Path:
    """Settings without which buildah would make a folder for networks in /etc."""
    conf = scratch / "containers.conf"
    conf.write_text(f'[network]\nnetwork_config_dir = "{scratch / "networks"}"\n')
    return conf


def _buildah(scratch: Path, env: Mapping[str, str]) -> list[str]:
    """The command with a storage of our own: overlay where the kernel lets it, else whole copies of every layer."""
    for driver in ("overlay", "vfs"):
        command = [
            "buildah",
            f"--root={paths.cache_folder(f'buildah-{driver}')}",
            f"--runroot={scratch / 'run'}",
            f"--storage-driver={driver}",
        ]
        try:
            processes.run([*command, "images"], timeout_s=60, env=env)
        except CommandFailedError as error:
            refused = error
        else:
            return command
    raise refused


def _pip_conf() -> str:
    """This machine's pip, as far as the way to the package index goes."""
    said = processes.run([sys.executable, "-m", "pip", "config", "list"], timeout_s=60)
    settings = dict(re.findall(r"^(?:global|user|site|:env:)\.([a-z-]+)='(.*)'$", said, re.MULTILINE))
    kept = {key: value.replace("\\n", "\n  ") for key, value in settings.items() if key in _PIP_SETTINGS}
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in {**kept, "cert": "/run/secrets/ca"}.items())


def _authorities() -> Path:
    """The bundle of certificate authorities that this machine trusts."""
    for named in (
        os.environ.get("PIP_CERT"),
        os.environ.get("SSL_CERT_FILE"),
        ssl.get_default_verify_paths().cafile,
        "/etc/ssl/certs/ca-certificates.crt",
    ):
        if named and Path(named).is_file():
            return Path(named)
    raise FileNotFoundError("no bundle of certificate authorities on this machine: install ca-certificates")
