"""The images that clusters run: a pause, a busybox for probing, a Debian base, and the project's own.

Each is a docker-archive in the cache, named by a hash of what it is made from.
"""

import hashlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import archive, locking, packages, paths, processes
from harness.nodefiles import PAUSE_IMAGE

BUSYBOX_IMAGE = "localhost/onenode-busybox:1"
PROJECT_IMAGE = "localhost/healthheartbeat"
_BASE_PACKAGES = "python3,python3-venv,ca-certificates"
_SUITE = "bookworm"
_TRIMMED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/cache/debconf",
    "var/log",
)
_INPUTS = (
    "Dockerfile",
    ".dockerignore",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "requirements/runtime.txt",
    "requirements/dev.txt",
)
_RUN_S = 3600
Say = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """An image by the name that pods give it, and the docker-archive that holds it."""

    name: str
    tar: Path


def pause(say: Say) -> Image:
    """The sandbox of every pod."""
    source = Path(__file__).with_name("pause.c")

    def make(dest: Path, scratch: Path) -> None:
        program = scratch / "pause"
        processes.run(["gcc", "-Os", "-static", "-s", "-o", program, source], timeout_s=60)
        archive.write_layer(scratch / "layer.tar", files={"pause": program})
        archive.write(
            dest,
            name=PAUSE_IMAGE,
            layer=scratch / "layer.tar",
            config={"Entrypoint": ["/pause"], "User": "65535:65535"},
        )

    return Image(PAUSE_IMAGE, _cached("pause", [source.read_bytes()], make, say=say))


def busybox(say: Say) -> Image:
    """A shell, nslookup, wget and httpd in 2 MB, for pods that probe or are probed."""
    packages.ensure(packages.IMAGES, say)
    program = Path("/bin/busybox")

    def make(dest: Path, scratch: Path) -> None:
        applets = processes.run([program, "--list"], timeout_s=10).split()
        links = {f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"}
        archive.write_layer(scratch / "layer.tar", files={"bin/busybox": program}, links=links)
        archive.write(
            dest,
            name=BUSYBOX_IMAGE,
            layer=scratch / "layer.tar",
            config={"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "User": "65535:65535"},
        )

    return Image(BUSYBOX_IMAGE, _cached("busybox", [program.read_bytes()], make, say=say))


def base(say: Say) -> Image:
    """Debian with Python, made here because the image that the Dockerfile names cannot be pulled everywhere."""
    name = f"localhost/onenode-python:{_SUITE}"

    def make(dest: Path, scratch: Path) -> None:
        root = scratch / "root"
        processes.run(
            ["debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", _SUITE, root, *_mirror()],
            timeout_s=900,
            env={"PATH": packages.SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"},
        )
        for folder in _TRIMMED:
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)
        (root / "usr/bin/python").symlink_to("python3")
        layer = scratch / "layer.tar"
        processes.run(
            ["tar", "--numeric-owner", "--xattrs", "--exclude=./dev/*", "-C", root, "-cf", layer, "."], timeout_s=300
        )
        archive.write(dest, name=name, layer=layer, config={"Env": [f"PATH={packages.SYSTEM_PATH}"]})

    recipe = repr((_BASE_PACKAGES, _SUITE, _TRIMMED, platform.machine())).encode()
    return Image(name, _cached("base", [recipe], make, say=say))


def _mirror() -> list[str]:
    """The mirror of this machine's own package lists, so that whoever set one is obeyed."""
    said = processes.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Identifier: Packages"],
        timeout_s=60,
    )
    rows = (line.split() for line in said.splitlines())
    return next(([row[2]] for row in rows if row[:2] == [_SUITE, "main"]), [])


def project(say: Say) -> Image:
    """The project's image, from its own Dockerfile on the base above; its tag is a hash of all that went in."""
    from harness import buildah  # noqa: PLC0415  it needs the names above

    packages.ensure(packages.IMAGES, say)
    inputs = [f"{path.relative_to(paths.PROJECT)}\n".encode() + path.read_bytes() for path in _project_files()]
    tag = _digest([repr((_BASE_PACKAGES, _SUITE)).encode(), *inputs])
    name = f"{PROJECT_IMAGE}:{tag}"
    path = _cached(
        "healthheartbeat",
        [tag.encode()],
        lambda dest, scratch: buildah.build(name, dest, scratch=scratch, base=base(say), say=say),
        say=say,
    )
    return Image(name, path)


def _project_files() -> Iterable[Path]:
    named = (paths.PROJECT / name for name in _INPUTS)
    package = (paths.PROJECT / "operator").rglob("*")
    return sorted(path for path in [*named, *package] if path.is_file() and path.suffix != ".pyc")


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _cached(kind: str, inputs: Iterable[bytes], make: Callable[[Path, Path], None], *, say: Say) -> Path:
    """The archive made from these inputs; made now when the cache lacks it, and its older like removed."""
    folder = paths.cache_folder("images")
    recipe = Path(archive.__file__).read_bytes()
    dest = folder / f"{kind}-{_digest([recipe, *inputs])}.tar"
    if dest.exists():
        return dest
    with locking.held(folder / f"{kind}.lock", timeout_s=1800, say=say):
        if dest.exists():
            return dest
        packages.ensure(packages.IMAGES, say)
        say(f"making the image {kind}")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
            made = Path(scratch) / "image.tar"
            make(made, Path(scratch))
            made.rename(dest)
        _keep_newest(folder, kind)
    return dest


def _keep_newest(folder: Path, kind: str, count: int = 3) -> None:
    """Each is some 300 MB: of one kind only the newest few are kept, and those that a run may be about to load."""
    age = time.time() - _RUN_S
    old = sorted(folder.glob(f"{kind}-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)[count:]
    for path in old:
        if path.stat().st_mtime < age:
            path.unlink(missing_ok=True)
