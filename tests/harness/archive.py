"""Container images of one layer, written as docker-archives without any image tool."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(dest: Path, *, name: str, layer: Path, config: Mapping[str, Any]) -> None:
    """Write the image `name` to `dest`: the tar file `layer`, run by `config` (Entrypoint, Env, User and the like)."""
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    description = json.dumps(
        {
            "architecture": _ARCHITECTURES[platform.machine()],
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "the test harness"}],
        }
    ).encode()
    described = f"{hashlib.sha256(description).hexdigest()}.json"
    manifest = [{"Config": described, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    partial = dest.with_suffix(".partial")
    with tarfile.open(partial, "w") as archive:
        _add(archive, described, description)
        archive.add(layer, arcname=f"{digest}/layer.tar")
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    partial.rename(dest)


def write_layer(dest: Path, *, files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> None:
    """Write a layer of executables: path in the image to file here, and path in the image to what it links to."""
    with tarfile.open(dest, "w") as layer:
        for folder in ("tmp", "bin"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            layer.addfile(entry)
        for inside, file in files.items():
            _add(layer, inside, file.read_bytes(), mode=0o755)
        for inside, target in (links or {}).items():
            entry = tarfile.TarInfo(inside)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
