"""The watchdog's process: the deadman, its door, its view of the API, put together, supervised and ended.

It shares nothing with the operator but the alert sinks and a secret: no memory, no lease, no need of the API server.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from healthheartbeat import __version__
from healthheartbeat.adapters import watchdog_state
from healthheartbeat.adapters.alertmanager import AlertmanagerSink
from healthheartbeat.adapters.deadman_url import DeadmanUrl
from healthheartbeat.adapters.notify.desk import NotifySettings
from healthheartbeat.adapters.paging import PageBoard
from healthheartbeat.adapters.secret_file import SecretFile
from healthheartbeat.adapters.watchdog_metrics import WatchdogMetrics
from healthheartbeat.adapters.watchdog_state import StateFile
from healthheartbeat.runtime.clock import system_clock
from healthheartbeat.runtime.deadman import Deadman
from healthheartbeat.runtime.ending import end, first_end
from healthheartbeat.runtime.receiver import Receiver, receiving
from healthheartbeat.runtime.roll_call import RollCall

FLUSH_S: Final = 2.0
SAVE_EVERY_S: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was started with. `namespaces` None: all of them; empty: the API server is not asked."""

    secret_file: Path
    namespaces: Sequence[str] | None = ()
    kubeconfig: Path | None = None
    bind: str = "0.0.0.0"  # noqa: S104 - in a pod, operator, kubelet and Prometheus come from outside
    port: int = 8081
    alertmanager_urls: Sequence[str] = ()
    notify_file: Path | None = None
    heartbeat_url: str = ""
    runbook_url: str = ""
    state_file: Path | None = None


async def run(settings: Settings) -> int:
    """Run the watchdog until it is told to stop (0) or a part of it fails (1).

    Raises SecretError without a secret, ValueError for an URL that is none, OSError where the port cannot be had.
    """
    secret, metrics = SecretFile(settings.secret_file), WatchdogMetrics()
    service = DeadmanUrl(settings.heartbeat_url) if settings.heartbeat_url else None
    pages = PageBoard(
        [AlertmanagerSink(url) for url in settings.alertmanager_urls],
        runbook_base=settings.runbook_url,
        outcome=metrics.page,
        notify=NotifySettings(path=settings.notify_file) if settings.notify_file else None,
    )
    file = StateFile(settings.state_file) if settings.state_file else None
    known = file.read(now=system_clock()) if file else ()
    deadman = Deadman(pages, metrics, now=system_clock, known=known, ping=service.ping if service else _nobody_to_ping)
    roll_call = RollCall(
        deadman, metrics, namespaces=settings.namespaces, kubeconfig=settings.kubeconfig, now=system_clock
    )

    def state() -> str:
        return watchdog_state.dump(deadman.states, now=system_clock(), standing=pages.standing)

    def problems() -> tuple[str, ...]:
        own = (secret.problem, file.problem if file else "", roll_call.problem)
        return (*(words for words in own if words), *pages.problems(), *(service.problems() if service else ()))

    receiver = Receiver(deadman, metrics, secret, now=system_clock, problems=problems)
    log.info("STARTED", version=__version__, known=[state.name for state in known], namespaces=_words(settings))
    for problem in pages.problems():
        log.warning("PAGES", reason=problem)
    async with receiving(receiver, host=settings.bind, port=settings.port) as port:
        log.info("LISTENING", address=settings.bind, port=port)
        parts: dict[str, Coroutine[Any, Any, None]] = {
            "signals": _signals(),
            "pages": pages.run(),
            "deadman": deadman.run(),
        }
        if settings.namespaces is None or settings.namespaces:
            parts["API"] = roll_call.run()
        if service is not None:
            parts["dead-man service"] = service.run()
        if file is not None:
            parts["state"] = _saving(file, state)
        tasks = {name: asyncio.create_task(part, name=name) for name, part in parts.items()}
        try:
            return await first_end(tasks, of="watchdog")
        finally:
            await end(*(task for name, task in tasks.items() if name != "pages"))
            if file is not None:
                file.write(state())
            await pages.flush(FLUSH_S)
            if file is not None:
                file.write(state())  # without what was delivered meanwhile
            await end(tasks["pages"])


async def _saving(file: StateFile, content: Callable[[], str]) -> None:
    """Keep the file new. A disk that hangs holds up nothing else."""
    while True:
        await asyncio.to_thread(file.write, content())
        await asyncio.sleep(SAVE_EVERY_S)


async def _signals() -> None:
    """Return when the process is told to stop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _nobody_to_ping() -> None:
    """Without --heartbeat-url."""


def _words(settings: Settings) -> list[str] | str:
    if settings.namespaces is None:
        return "all"
    return list(settings.namespaces) or "none: the API server is not asked, only reports count"
