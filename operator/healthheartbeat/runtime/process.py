"""The operator's process: everything put together, started, supervised and ended.

Its parts are siblings: when any one of them ends, the process ends and says why, since a part that is missing is a way
to die without anyone knowing.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import kopf
import structlog

from healthheartbeat import __version__
from healthheartbeat.adapters import allocator
from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.deadman_url import DeadmanUrl
from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.events import EventRecorder
from healthheartbeat.adapters.kube.kinds import HEALTHHEARTBEATS
from healthheartbeat.adapters.kube.lease import LeaseStore
from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.adapters.notify.desk import NotifySettings
from healthheartbeat.adapters.notify.memory import Pace
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.report_post import ReportPoster
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.core.lease import Share
from healthheartbeat.runtime import handlers
from healthheartbeat.runtime.candidate import Candidate
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.ending import end, first_end
from healthheartbeat.runtime.endpoints import serve
from healthheartbeat.runtime.fleet import Fleet
from healthheartbeat.runtime.leadership import Leadership
from healthheartbeat.runtime.lookout import Lookout
from healthheartbeat.runtime.real_world import API_TIMEOUT_S, real_world
from healthheartbeat.runtime.reports import Reports
from healthheartbeat.runtime.sightings import Sightings
from healthheartbeat.runtime.status_page import StatusPage
from healthheartbeat.runtime.sweeper import Sweeper
from healthheartbeat.runtime.vitals import Vitals
from healthheartbeat.runtime.witnesses import Witnesses
from healthheartbeat.runtime.world import World

FLUSH_S = 2.0
LAST_WORDS_S = 0.5
"""How long a process that ends waits for its pages to be taken: what fires is in the status too, for the next one."""
CONTACT_EVERY_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was started with. `namespaces` empty: all of them; `status_port` 0: no status page."""

    namespaces: Sequence[str] = ()
    kubeconfig: Path | None = None
    bind: str = "0.0.0.0"  # noqa: S104 - in a pod, the kubelet and Prometheus come from outside
    port: int = 8080
    status_bind: str = ""
    status_port: int = 0
    alertmanager_urls: Sequence[str] = ()
    runbook_url: str = ""
    registry_stale_after_s: int = 300
    registry_page_after_s: int = 600
    leader_elect: bool = False
    notify_file: Path | None = None
    notify_reminder_s: float = 3600
    watchdog_url: str = ""
    watchdog_secret_file: Path | None = None
    heartbeat_url: str = ""


async def run(settings: Settings) -> int:
    """Run the operator until it is told to stop (0) or a part of it fails (1)."""
    # Unique for ever: on a node's own network, or in a container started again, host name and pid are another's too.
    holder = f"{socket.gethostname()}_{os.getpid()}_{uuid4().hex[:8]}"
    metrics, reports = Metrics(), Reports()
    witnesses = _witnesses(settings)

    def report(made: OperationsReport) -> None:
        reports(made)
        witnesses.report(made)

    sinks = [AlertmanagerSink(url) for url in settings.alertmanager_urls]
    pages = PageBoard(
        sinks,
        notify=_notify(settings),
        runbook_base=settings.runbook_url,
        outcome=metrics.page,
        leads=lambda resource: fleet.leads(resource),  # noqa: PLW0108 - the fleet is made after the pages
    )
    async with (
        KubeClient(kubeconfig=settings.kubeconfig, timeout_s=API_TIMEOUT_S) as client,
        EventRecorder(client, instance=holder) as events,
    ):
        world = real_world(
            client=client,
            events=events,
            pages=pages,
            metrics=metrics,
            report=report,
            notes=witnesses.problems,
            holder=holder,
            stale_after_s=settings.registry_stale_after_s,
            page_after_s=settings.registry_page_after_s,
        )
        fleet = Fleet(
            lambda namespace, name: _candidate(
                namespace, name, world, client=client, settings=settings, share=fleet.share
            ),
            deleted=witnesses.deleted,
        )
        stop, reached = asyncio.Event(), asyncio.Event()
        sightings = Sightings(now=system_clock)
        told = (fleet, sightings) if settings.status_port else (fleet,)
        watched = handlers.registry(handlers.Teller(asyncio.get_running_loop(), *told), client)
        lookout = Lookout(
            lambda stopping: kopf.operator(
                registry=watched,
                settings=handlers.settings(namespaced=bool(settings.namespaces)),
                standalone=True,
                # kopf would make one from the user's name, which a container's numeric user has not.
                identity=cast("Any", holder),
                clusterwide=not settings.namespaces,
                namespaces=list(settings.namespaces),
                stop_flag=stopping,
            )
        )
        vitals = Vitals(fleet, reports, now=system_clock, started=reached, watch_failure=lambda: lookout.failure)
        log.info("STARTED", version=__version__, holder=holder, namespaces=list(settings.namespaces) or "all")
        for problem in pages.problems():
            log.warning("PAGES", reason=problem)
        for problem in witnesses.problems():
            log.warning("WITNESSES", reason=problem)
        page = StatusPage(fleet, reports, sightings, health=vitals, process=holder, now=system_clock)
        async with serve(vitals, metrics, host=settings.bind, port=settings.port), _served(page, settings):
            parts = {
                "pages": asyncio.create_task(pages.run(), name="pages"),
                "witnesses": asyncio.create_task(witnesses.run(), name="witnesses"),
                "sweepers": asyncio.create_task(fleet.run(), name="sweepers"),
                "signals": asyncio.create_task(_signals(stop), name="signals"),
                "contact": asyncio.create_task(_contact(client, settings.namespaces, reached), name="contact"),
                "lookout": asyncio.create_task(lookout.run(), name="lookout"),
                "memory": asyncio.create_task(allocator.keep_giving_back(), name="memory"),
            }
            code = 1
            try:
                code = await first_end(parts, of="operator")
                return code
            finally:
                await pages.flush(LAST_WORDS_S)  # ahead of the sweepers' end, which drops what was not taken
                if not code:  # where a part of it failed, its successor's cold start is one of a crash loop, maybe
                    witnesses.leaving([sweeper.key for sweeper in fleet.sweepers], holder)
                await end(parts["sweepers"])
                await witnesses.flush(LAST_WORDS_S)
                await events.drain(FLUSH_S)
                await end(*parts.values())


def _served(page: StatusPage, settings: Settings) -> AbstractAsyncContextManager[object]:
    """The status page, where it is asked for."""
    if not settings.status_port:
        return nullcontext()
    return page.serve(host=settings.status_bind or settings.bind, port=settings.status_port)


def _notify(settings: Settings) -> NotifySettings | None:
    if settings.notify_file is None:
        return None
    return NotifySettings(path=settings.notify_file, pace=Pace(reminder_s=settings.notify_reminder_s))


async def _signals(stop: asyncio.Event) -> None:
    """Return when the process is told to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def _contact(client: KubeClient, namespaces: Sequence[str], reached: asyncio.Event) -> None:
    """Set `reached` once the resources could be listed; kopf says that it has started before it has reached anything.

    Returns never.
    """
    said = ""
    while not reached.is_set():
        try:
            for namespace in namespaces or (None,):
                await client.list(HEALTHHEARTBEATS, namespace, page_size=20)
        except ApiError as error:
            if str(error) != said:
                said = str(error)
                log.warning("NOT_WATCHING_YET", reason=said)
            await asyncio.sleep(CONTACT_EVERY_S)
        else:
            reached.set()
            log.info("WATCHING", namespaces=list(namespaces) or "all")
    await asyncio.get_running_loop().create_future()


def _witnesses(settings: Settings) -> Witnesses:
    """Who is told of our sweeps. Raises ValueError for an URL that is none, SecretError without a secret."""
    watchdog = None
    if settings.watchdog_url:
        if settings.watchdog_secret_file is None:
            raise ValueError("--watchdog-url needs --watchdog-secret-file")
        watchdog = ReportPoster(settings.watchdog_url, SecretFile(settings.watchdog_secret_file))
    service = DeadmanUrl(settings.heartbeat_url) if settings.heartbeat_url else None
    return Witnesses(watchdog=watchdog, service=service)


def _candidate(
    namespace: str, name: str, world: World, *, client: KubeClient, settings: Settings, share: Callable[[], Share]
) -> Candidate:
    key = f"{namespace}/{name}"
    leadership = None
    if settings.leader_elect:
        store = LeaseStore(client, namespace, name)
        leadership = Leadership(key, store, identity=world.holder, now=world.now, share=share)
    return Candidate(
        key,
        make=lambda leads: Sweeper(namespace, name, world, leads=leads),
        leadership=leadership,
        tell=lambda leading: world.metrics.leader(key, leading),
    )
