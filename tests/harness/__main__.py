"""Clusters and images by hand: python -m harness build|up|down|status|images|run, with tests/ on the PYTHONPATH."""

import argparse
import os
import subprocess
import sys
import time

from harness import build, images, leftovers, onenode, packages, paths
from harness.processes import CommandFailedError, DeadlinePassedError
from harness.supervision import ComponentFailedError


def say(line: str) -> None:
    """Tell the person what is going on; what programs want to read goes to stdout instead."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _build(options: argparse.Namespace) -> int:
    programs = build.ensure(options.program or build.NODE, say)
    sys.stdout.write("".join(f"{folder}\n" for folder in programs.path))
    return 0


def _up(options: argparse.Namespace) -> int:
    began = time.monotonic()
    wanted = [images.pause(say), images.busybox(say), *([images.project(say)] if options.image else [])]
    node = onenode.up(options.name, owner=None, images=[image.tar for image in wanted], say=say)
    say(f"node {options.name} is Ready after {time.monotonic() - began:.0f} s")
    _explain(node)
    for image in wanted[1:]:
        sys.stdout.write(f"# image for pods: {image.name}\n")
    return 0


def _explain(node: onenode.OneNode) -> None:
    kubectl = build.ensure(["kubectl"], say)["kubectl"]
    here = f"PYTHONPATH={paths.TESTS} {os.path.normpath(sys.executable)} -m harness"
    sys.stdout.write(
        f"export KUBECONFIG={node.kubeconfig}\n"
        f"export PATH={kubectl.parent}:$PATH\n"
        f"# in the node, where pods and Services have addresses:  {here} run --name {node.name} -- COMMAND …\n"
        f"# logs of the node's programs:  {node.data}/*.log\n"
        f"# the end:  {here} down --name {node.name}\n",
    )


def _down(options: argparse.Namespace) -> int:
    if leftovers.read(options.name) is None:
        say(f"there is no node named {options.name}")
    leftovers.remove(options.name)
    leftovers.sweep(say)
    return 0


def _status(options: argparse.Namespace) -> int:
    del options
    for name in leftovers.nodes():
        try:
            node = onenode.attach(name)
        except onenode.NoSuchNodeError:
            say(f"{name}: has ended; the next start, or down --name {name}, removes what it left")
            continue
        sys.stdout.write(f"# node {name}\n")
        for component in node.components:
            status = component.status
            ended = "" if status.exit is None else f" with {status.exit}"
            sys.stdout.write(f"#   {component.name}: {status.state}{ended}\n")
        _explain(node)
    return 0


def _images(options: argparse.Namespace) -> int:
    made = [images.pause(say), images.busybox(say), images.project(say)]
    for image in made:
        sys.stdout.write(f"{image.name}\t{image.tar}\n")
    if options.load:
        node = onenode.attach(options.name)
        for image in made:
            node.load_image(image.tar)
        say(f"node {options.name} has them")
    return 0


def _run(options: argparse.Namespace) -> int:
    node = onenode.attach(options.name)
    return subprocess.run(
        node.entering(options.command or ["bash"]), env=node.environment_inside, check=False
    ).returncode


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness", description="Clusters and images for the tests, by hand."
    )
    commands = parser.add_subparsers(required=True)

    def command(name: str, call: object, says: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says, description=says)
        made.set_defaults(call=call)
        return made

    building = command("build", _build, "build the node's programs into the cache")
    building.add_argument("program", nargs="*", choices=[[], *build.PACKAGES], help="all but helm when none is named")
    for name, call, says in (
        ("up", _up, "start a node that stays, and say how it is used"),
        ("down", _down, "end a node and remove all that it left, and what earlier runs left"),
        ("images", _images, "make the images"),
        ("run", _run, "run a command, or a shell, in the node's namespaces"),
    ):
        command(name, call, says).add_argument("--name", default="dev", help="the node's name (dev)")
    commands.choices["up"].add_argument("--image", action="store_true", help="give it the project's image too")
    commands.choices["images"].add_argument("--load", action="store_true", help="give them to the node")
    commands.choices["run"].add_argument("command", nargs="*")
    command("status", _status, "say which nodes there are and how they are used")
    return parser


def main() -> int:
    options = _options().parse_args()
    try:
        return int(options.call(options))
    except (
        CommandFailedError,
        ComponentFailedError,
        DeadlinePassedError,
        packages.MissingPackagesError,
        onenode.NoSuchNodeError,
        TimeoutError,
        ValueError,
    ) as error:
        say(f"harness: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
