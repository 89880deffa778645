"""The cluster that kubectl talks to now: one of our own nodes, or one that the caller names and answers for."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import build, leftovers, onenode, processes
from harness.cluster import Cluster, NotHereError
from harness.network import Reply
from harness.supervision import Component


class ForeignContextError(Exception):
    """The current context is not of our making, and nobody said that it may be used."""


def take(*, known: str | None, scratch: Path) -> Cluster:
    """The current context's cluster.

    One of our nodes comes with all that a node can do. Any other raises ForeignContextError, unless `known` is the
    name of its context; it can be asked and changed through its API, and no more.
    """
    programs = build.ensure(["kubectl"], lambda _: None)
    try:
        said = processes.run(
            [programs["kubectl"], "config", "view", "--minify", "-o", "json"], timeout_s=30, env=dict(os.environ)
        )
    except processes.CommandFailedError as error:
        raise ForeignContextError(f"kubectl has no current context: {error.output.strip()}") from None
    view = json.loads(said)
    context, server = view["current-context"], view["clusters"][0]["cluster"]["server"]
    ours = context.removeprefix("onenode-")
    record = leftovers.read(ours)
    if context != ours and record is not None and server == f"https://127.0.0.1:{record.port}":
        return onenode.attach(ours)
    if known != context:
        raise ForeignContextError(
            f"the current context {context!r} ({server}) was not made by this harness, and the tests make, change and "
            f"delete things in it; if you want that, say --i-know-this-context={context}",
        )
    flattened = processes.run(
        [programs["kubectl"], "config", "view", "--minify", "--flatten", "-o", "json"],
        timeout_s=30,
        env=dict(os.environ),
    )
    kubeconfig = scratch / "kubeconfig"  # a copy: the tests stay with this context whatever becomes the current one
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(flattened)
    return Current(context, kubeconfig=kubeconfig, kubectl=programs["kubectl"], scratch=scratch)


class Current(Cluster):
    """A cluster of somebody else's: its API is all there is of it."""

    kind = "current"

    def __init__(self, name: str, *, kubeconfig: Path, kubectl: Path, scratch: Path) -> None:
        self.name = name
        super().__init__(kubeconfig=kubeconfig, kubectl=kubectl, scratch=scratch)

    def load_image(self, tar: Path) -> None:
        raise NotHereError(f"current: {tar.name} cannot be put onto the nodes of somebody else's cluster")

    def component(self, name: str) -> Component:
        raise NotHereError(f"current: {name} of somebody else's cluster is not ours to touch")

    def run_in_node(self, argv: Sequence[str | Path], **_options: Any) -> str:
        raise NotHereError(f"current: {argv[0]} cannot be run in a node of somebody else's cluster")

    def spawn_in_node(self, argv: Sequence[str | Path], **_options: Any) -> Component:
        raise NotHereError(f"current: {argv[0]} cannot be run in a node of somebody else's cluster")

    def fetch(self, url: str, **_options: Any) -> Reply:
        raise NotHereError(f"current: {url} cannot be asked from a node of somebody else's cluster")

    def down(self) -> None:
        """Nothing: it was here before us."""
