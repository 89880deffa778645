"""One address that people are told at, through apprise: Slack, PagerDuty, e-mail, a webhook, and a hundred others.

apprise blocks, so each message goes out on a thread of its own, a daemon: one that hangs keeps neither the loop nor
the process's end waiting. What apprise says of a failure is shown without any part of the URL, which is a credential.
"""

import asyncio
import logging
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote

from healthheartbeat.adapters.notify.message import Message
from healthheartbeat.adapters.notify.urls import Address
from healthheartbeat.adapters.page import SinkError
from healthheartbeat.api.text import clip

MAX_WORDS: Final = 200
MAX_THREADS: Final = 3
"""Messages that hang at one address; while there are so many, it gets no new one."""
_MIN_SECRET_CHARS: Final = 4
T = TypeVar("T")

_BETWEEN_PARTS: Final = re.compile(r"[/:@?&=,;#+ ]+")


class Service(Protocol):
    """Where messages go: one at a time, but for those that were given up on."""

    name: str
    """What people call it, without credentials."""

    async def send(self, message: Message) -> None:
        """Deliver it, or raise SinkError where it was not accepted."""
        ...


class AppriseService:
    """A Service by its apprise URL. Raises ValueError, without the URL, where apprise knows none of that form."""

    def __init__(self, address: Address) -> None:
        self._apprise = _apprise_for(address)
        (plugin,) = self._apprise
        self._secrets = _secrets(address.url)
        self._threads: list[threading.Thread] = []
        self.name = f"{plugin.service_name} ({address.place})"

    async def send(self, message: Message) -> None:
        """See `Service.send`."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) >= MAX_THREADS:
            raise SinkError(f"{len(self._threads)} earlier messages to it have not come to an end")
        thread, answer = _start(lambda: self._notify(message), name=f"message to {self.name}")
        self._threads.append(thread)
        if problem := await answer:
            raise SinkError(problem)

    def _notify(self, message: Message) -> str:
        """Send it from this thread; why it failed, or nothing."""
        from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 - see _load

        result = self._apprise.notify(
            body=message.body,
            title=message.title,
            notify_type=NotifyType(message.kind.value),
            body_format=NotifyFormat.TEXT,
        )
        # The result as a whole calls a failure a success where the URL says `optional=yes`.
        if any(bool(attempt) for service in result for attempt in service.attempts):
            return ""
        words = " ".join(str(entry.message) for entry in result.logs())
        return clip(self._without_secrets(words), MAX_WORDS) or "it was refused, and apprise does not say why"

    def _without_secrets(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words


def _apprise_for(address: Address) -> Any:
    apprise = _load()
    made = apprise.Apprise(
        # No time limit of apprise's own: it would run the message on a pool that Python waits for when it exits.
        asset=apprise.AppriseAsset(app_id="HealthHeartbeat", app_desc="HealthHeartbeat", service_timeout=0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # apprise imports all its plugins at the first URL, and with them old modules
        known = made.add(address.url)
    if not known:
        raise ValueError(f"{address.place} is no URL that apprise can use: an unknown service, or a part is missing")
    return made


def _load() -> Any:
    """Import apprise, only where it is used: it costs 20 MB and most of a second. It logs nothing by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import apprise  # noqa: PLC0415 - as said above
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return apprise


def _secrets(url: str) -> tuple[str, ...]:
    """Every part of the URL but its scheme, as it is written and as it is meant, the longest first."""
    _, _, rest = url.partition("://")
    parts = {part for text in (rest, unquote(rest)) for part in _BETWEEN_PARTS.split(text)}
    return tuple(sorted((part for part in parts if len(part) >= _MIN_SECRET_CHARS), key=len, reverse=True))


def _start(function: Callable[[], T], *, name: str) -> tuple[threading.Thread, asyncio.Future[T]]:
    """Run `function` on a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]  # there is a result where there is no error

    def work() -> None:
        result, error = None, None
        try:
            result = function()
        except Exception as raised:  # noqa: BLE001 - it is raised again where the answer is awaited
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop has ended, and with it everybody who wanted to know

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread, answer
