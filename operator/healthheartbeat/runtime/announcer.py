"""Saying what happened, once each: log lines named by reason code, metrics, and Kubernetes Events on transitions."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from healthheartbeat.adapters.metrics import Metrics
from healthheartbeat.api.codes import Action, AlertName
from healthheartbeat.api.reasons import BOT_MISS, ReasonCode, bot_miss_event
from healthheartbeat.core.clock import Now
from healthheartbeat.core.ledger import BotLedger, Heard, Missed, Unjudged

HEARD = "HEARTBEAT"
"""Event name of the one DEBUG line per healthy bot and sweep (decision 7)."""


class Record(Protocol):
    """Records a Kubernetes Event on the resource."""

    def __call__(self, *, warning: bool, reason: str, message: str, action: str) -> None:
        """Never blocks and never raises."""


class Announcer:
    """The voice of one resource, `name` being `<namespace>/<name>`. `record`: Kubernetes Events."""

    def __init__(self, name: str, *, metrics: Metrics, record: Record, now: Callable[[], Now]) -> None:
        self._name = name
        self._metrics = metrics
        self._record = record
        self._now = now
        self._refused: dict[str, tuple[Action, str]] = {}
        self._log = structlog.get_logger("healthheartbeat").bind(healthheartbeat=name)

    def swept(self, event: Heard | Missed | Unjudged, *, threshold: int) -> None:
        """One bot's verdict of this sweep."""
        match event:
            case Missed():
                self._missed(event, threshold)
            case Heard(recovered=True):
                self._refused.pop(event.slug, None)
                self._log.info(ReasonCode.BOT_RECOVERED, slug=event.slug, was_down=event.was_down, missed=event.misses)
                if event.was_down:
                    self._event(ReasonCode.BOT_RECOVERED, f"{event.slug} answers again", "Polled", warning=False)
            case Heard():
                self._log.debug(HEARD, slug=event.slug)
            case Unjudged(deferred=True):
                self._log.debug("BOT_DEFERRED", slug=event.slug, reason=event.message)
            case Unjudged():
                self._log.warning("BOT_NOT_JUDGED", slug=event.slug, reason=event.message)

    def decided(self, before: BotLedger, after: BotLedger) -> None:
        """A bot's restart was decided upon; only what is new is said."""
        slug, words = after.slug, after.action_reason
        if AlertName.RESTART_BUDGET_EXHAUSTED in after.firing - before.firing:
            self._metrics.budget_exhausted(self._name, slug)
            self._log.warning(ReasonCode.RESTART_BUDGET_EXHAUSTED, slug=slug, reason=words)
            self._event(ReasonCode.RESTART_BUDGET_EXHAUSTED, f"{slug} is not restarted again: {words}", "Restart")
        if AlertName.RESTART_STUCK in after.firing - before.firing:
            self._log.warning(AlertName.RESTART_STUCK, slug=slug)
            self._event(
                AlertName.RESTART_STUCK, f"a pod of {slug} does not end: it is past its grace period", "Restart"
            )
        if after.action in (Action.RESTART_REFUSED, Action.RESTART_FAILED):
            self._not_restarted(slug, after.action, words)

    def restarted(self, slug: str, pods: Sequence[str]) -> None:
        """A restart was carried out."""
        self._refused.pop(slug, None)
        self._metrics.restart(self._name, slug)
        self._log.warning(ReasonCode.AUTO_RESTART, slug=slug, pods=list(pods))
        self._event(ReasonCode.AUTO_RESTART, f"{slug} was restarted: deleted {', '.join(pods)}", "Restart")

    def storm(self, *, opened: bool, slugs: Sequence[str]) -> None:
        """The breaker opened or closed."""
        words = (
            f"{len(slugs)} bots are missing at once: nothing is restarted until fewer are"
            if opened
            else "fewer bots are missing: restarts go on"
        )
        self._log.warning(AlertName.STORM, open=opened, slugs=list(slugs))
        self._event(AlertName.STORM, words, "Restart", warning=opened)

    def stale(self, *, stale: bool, why: str) -> None:
        """The registry went stale, or is fresh again."""
        self._log.warning(ReasonCode.REGISTRY_STALE, stale=stale, reason=why)
        self._event(
            ReasonCode.REGISTRY_STALE,
            f"the registry cannot be read: {why}" if stale else "the registry is read again",
            "ReadRegistry",
            warning=stale,
        )

    def reading(self, failure: str) -> None:
        """Reading the resource began to fail, fails otherwise, or is well again (empty)."""
        if failure:
            self._log.warning("REGISTRY_NOT_READ", reason=failure)
        else:
            self._log.info("REGISTRY_READ")

    def removed(self, slugs: Sequence[str]) -> None:
        """Bots left the registry."""
        for slug in slugs:
            self._refused.pop(slug, None)
        self._log.warning("REGISTRY_REMOVED", slugs=list(slugs))
        shown = ", ".join(slugs[:20]) + (f" and {len(slugs) - 20} more" if len(slugs) > 20 else "")  # noqa: PLR2004 - an Event's note is short
        self._event("RegistryRemoved", f"no longer in the registry, not polled: {shown}", "ReadRegistry")

    def refused(self, code: str, words: str) -> None:
        """A spec was refused; the last good one runs on."""
        self._log.error(code, reason=words)
        self._event(code, words, "LoadConfig")

    def said(self, event: str, **fields: object) -> None:
        """A fact of the sweep that has no transition of its own."""
        self._log.warning(event, **fields)

    def failed(self, what: str, slug: str, error: BaseException) -> None:
        """A task of ours raised: a fault of the operator, said with its trace."""
        self._log.error("OPERATOR_FAULT", what=what, slug=slug, exc_info=error)

    def _missed(self, event: Missed, threshold: int) -> None:
        now_ms = self._now().wall_ms
        self._metrics.miss(self._name, event.slug)
        fields = bot_miss_event(
            slug=event.slug,
            miss_count=event.miss_count,
            threshold=threshold,
            last_seen_ms=event.last_seen_ms,
            fired_at_ms=now_ms,
        )
        self._log.info(BOT_MISS, **fields, reason=event.reason, message=event.message)
        if event.timed_out:
            self._log.warning(ReasonCode.ENDPOINT_TIMEOUT, slug=event.slug, message=event.message)
        if event.miss_count >= threshold:
            self._log.warning(
                ReasonCode.BOT_DOWN,
                slug=event.slug,
                miss_count=event.miss_count,
                reason=event.reason,
                message=event.message,
            )
        if event.went_down:
            self._event(
                ReasonCode.BOT_DOWN,
                f"{event.slug} missed {event.miss_count} checks in a row: {event.message}",
                "Polled",
            )

    def _not_restarted(self, slug: str, action: Action, words: str) -> None:
        """Said when it comes to be so, and when the reason changes; not at every sweep."""
        if self._refused.get(slug) == (action, words):
            return
        self._refused[slug] = (action, words)
        name = "RestartRefused" if action is Action.RESTART_REFUSED else "RestartFailed"
        self._log.warning(action.upper(), slug=slug, reason=words)
        self._event(name, f"{slug} is not restarted: {words}", "Restart")

    def _event(self, reason: str, message: str, action: str, *, warning: bool = True) -> None:
        self._record(warning=warning, reason=str(reason), message=message, action=action)
