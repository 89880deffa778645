"""Where scenarios are played from the command line: a node, the CRD, an Alertmanager, the image."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.scenarios.pager import Pager
from chaos.scenarios.play import Ground
from harness import images, onenode, packages
from harness.processes import Identity
from support import crd

Say = Callable[[str], None]


@contextmanager
def a_node(folder: Path, *, say: Say) -> Iterator[Ground]:
    """A one-node cluster for a block; it ends with this process at the latest."""
    packages.ensure(packages.ALERTS, say)
    project = images.project(say)
    tars = [image.tar for image in (images.pause(say), images.busybox(say), project)]
    say("starting a node")
    node = onenode.up(f"chaos-{os.getpid()}", owner=Identity.of(os.getpid()), images=tars, say=say)
    try:
        crd.install(node)
        yield Ground(node, Pager(node, folder), project.name, folder)
    finally:
        say("ending the node")
        node.down()
