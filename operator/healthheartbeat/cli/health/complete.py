"""What a shell may offer for a word: names from the cluster, asked for briefly; nothing where it does not answer."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import typer

TIMEOUT_S: Final = 2.0


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Namespaces of the cluster."""
    from healthheartbeat.adapters.kube.kinds import NAMESPACES  # noqa: PLC0415 - the shell waits for imports

    async def names(target: Any) -> Iterable[str]:
        async with target.client(timeout_s=TIMEOUT_S) as client:
            return [found["metadata"]["name"] for found in await client.list(NAMESPACES, None)]

    return _asked(ctx, incomplete, names)


def resources(ctx: typer.Context, incomplete: str) -> list[str]:
    """HealthHeartbeats of the namespace."""
    from healthheartbeat.adapters.kube.resources import list_all, name_of  # noqa: PLC0415

    async def names(target: Any) -> Iterable[str]:
        async with target.client(timeout_s=TIMEOUT_S) as client:
            return [name_of(resource) for resource in await list_all(client, target.namespace)]

    return _asked(ctx, incomplete, names)


def slugs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Bots of the resource."""
    from healthheartbeat.adapters.kube.resources import find  # noqa: PLC0415
    from healthheartbeat.core.outlook import slugs_of  # noqa: PLC0415

    async def names(target: Any) -> Iterable[str]:
        async with target.client(timeout_s=TIMEOUT_S) as client:
            return slugs_of(await find(client, target.namespace, target.name))

    return _asked(ctx, incomplete, names)


def paused(ctx: typer.Context, incomplete: str) -> list[str]:
    """Bots of the resource whose restarts are paused."""
    from healthheartbeat.adapters.kube import pauses  # noqa: PLC0415
    from healthheartbeat.adapters.kube.resources import find  # noqa: PLC0415

    async def names(target: Any) -> Iterable[str]:
        async with target.client(timeout_s=TIMEOUT_S) as client:
            return pauses.read(await find(client, target.namespace, target.name))

    return _asked(ctx, incomplete, names)


def contexts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Contexts of the kubeconfig; the cluster is not asked."""
    from healthheartbeat.adapters.kube.kubeconfig import context_names  # noqa: PLC0415

    return [name for name in context_names(ctx.params.get("kubeconfig")) if name.startswith(incomplete)]


def _asked(
    ctx: typer.Context, incomplete: str, names: Callable[[Any], Coroutine[Any, Any, Iterable[str]]]
) -> list[str]:
    """The names that begin with what is typed; none where anything at all goes wrong, since a shell cannot say why."""
    from healthheartbeat.cli.health.target import Target  # noqa: PLC0415

    logging.disable(logging.CRITICAL)
    given = ctx.params
    try:
        target = Target(
            given_namespace=given.get("namespace"),
            name=given.get("name"),
            context=given.get("context"),
            kubeconfig=given.get("kubeconfig"),
        )
        found = asyncio.run(asyncio.wait_for(names(target), TIMEOUT_S))
    except Exception:  # noqa: BLE001 - see above
        return []
    return sorted(name for name in found if name.startswith(incomplete))
