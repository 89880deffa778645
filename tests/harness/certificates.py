"""The cluster's own certificate authority, the API server's certificate and the key that signs service accounts."""

import base64
import json
import secrets
from pathlib import Path

from harness import packages, processes

_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-batch"]


def make(folder: Path, *, addresses: list[str]) -> None:
    """Write ca.crt, ca.key, server.crt and server.key (good for these IP addresses), sa.key, sa.pub, and tokens.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    alternatives = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in addresses)])
    _openssl(
        folder,
        "req",
        "-x509",
        *_EC,
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/CN=onenode-ca",
        "-addext",
        "keyUsage=critical,keyCertSign,digitalSignature",
    )
    _openssl(
        folder,
        "req",
        "-x509",
        *_EC,
        "-keyout",
        "server.key",
        "-out",
        "server.crt",
        "-subj",
        "/CN=kube-apiserver",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-addext",
        f"subjectAltName={alternatives}",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "extendedKeyUsage=serverAuth",
    )
    _openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", "sa.key")
    _openssl(folder, "pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{secrets.token_hex(16)},admin,admin,system:masters\n")


def kubeconfig(folder: Path, *, server: str, context: str, dest: Path) -> Path:
    """Write a kubeconfig of the administrator at `server` (a URL) to `dest`."""
    token = (folder / "tokens.csv").read_text().split(",")[0]
    authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
    dest.touch(mode=0o600)
    dest.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": authority}}],
                "users": [{"name": context, "user": {"token": token}}],
                "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
                "current-context": context,
            },
            indent=1,
        )
    )
    return dest


def _openssl(folder: Path, *words: str) -> None:
    processes.run(["openssl", *words], timeout_s=30, cwd=folder, env={"PATH": packages.SYSTEM_PATH})
