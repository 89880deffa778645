"""Config load: a resource as read from the API becomes a `Config`, or a `ConfigError` in words for people.

What the API server accepts is accepted here and the reverse, but for one rule that a schema cannot afford: two bots of
one Service are refused here alone. Annotations are not part of it, since a pause holds whatever the spec says: see
`api.annotations`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pydantic import ValidationError

from healthheartbeat.api import names
from healthheartbeat.api.bot import Bot
from healthheartbeat.api.rules import APPROVAL, INVALID_SPEC
from healthheartbeat.api.spec import Spec
from healthheartbeat.api.wording import sentence

MAX_MESSAGES: Final = 20

Code = Literal["PARAMETER_CHANGE_REQUIRES_APPROVAL", "INVALID_SPEC"]


class ConfigError(Exception):
    """A resource that config load refuses; the last good configuration stays in force."""

    def __init__(self, code: Code, messages: Iterable[str]) -> None:
        self.code: Code = code
        """PARAMETER_CHANGE_REQUIRES_APPROVAL where a locked parameter is among the refusals, INVALID_SPEC otherwise."""
        self.messages: tuple[str, ...] = tuple(messages)
        """One sentence per refusal, naming resource, field, what came and what is allowed."""
        super().__init__(f"{code}: {'; '.join(self.messages)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSettings:
    """One bot with everything decided: its own settings over the resource's."""

    slug: str
    layer: str | None
    service: str
    port: int | str
    auto_restart: bool
    max_decision_age_s: int | None
    startup_grace_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A parameter in a band that is allowed and costs something (decision 22)."""

    band: Literal["notice", "warning"]
    parameter: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A resource's configuration, checked."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: Spec
    bots: tuple[BotSettings, ...]
    """The inline registry, in the resource's order; `spec.bot_selector`'s come on top (`selected_bot`)."""
    notices: tuple[Notice, ...]

    @property
    def resource(self) -> str:
        """`<namespace>/<name>`, the label and report key `healthheartbeat`."""
        return f"{self.namespace}/{self.name}"

    @property
    def timeout_ms(self) -> int:
        """How long a poll may take: see `effective_timeout_ms`."""
        return effective_timeout_ms(self.spec)


def load(obj: Mapping[str, Any]) -> Config:
    """Check the resource `obj` (as the API serves it) and return its configuration.

    Raises ConfigError (the seed's section 7, "Developer check") where any rule of the resource is broken.
    """
    config = _read(obj)
    _refuse_shared_services(config.resource, config.bots)
    return config


def salvage(obj: Mapping[str, Any]) -> Config | None:
    """What can be taken of a resource that `load` refuses because bots share a Service; None where more is wrong.

    It has every bot, since a page ends with the bot that leaves; those of one Service are not restarted, since it is in
    doubt whose pods they are.
    """
    try:
        config = _read(obj)
    except ConfigError:
        return None
    claims = Counter(bot.service for bot in config.bots)
    bots = (replace(bot, auto_restart=False) if claims[bot.service] > 1 else bot for bot in config.bots)
    return replace(config, bots=tuple(bots))


def _read(obj: Mapping[str, Any]) -> Config:
    """The resource's configuration by every rule that looks at one field alone. Raises ConfigError."""
    metadata = obj.get("metadata") or {}
    namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
    resource = f"{namespace}/{name}"
    if len(name) > names.MAX_RESOURCE_NAME_LENGTH:
        raise ConfigError(INVALID_SPEC, [f"{resource}: metadata.name: {names.RESOURCE_NAME_ALLOWED}"])
    if obj.get("spec") is None:
        raise ConfigError(INVALID_SPEC, [f"{resource}: spec: this field is required"])
    try:
        spec = Spec.model_validate(obj["spec"], by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal(resource, error) from None
    bots = tuple(settings(spec, bot) for bot in spec.bots)
    return Config(
        namespace=namespace,
        name=name,
        uid=metadata.get("uid") or "",
        generation=metadata.get("generation") or 0,
        spec=spec,
        bots=bots,
        notices=notices(spec),
    )


def settings(spec: Spec, bot: Bot) -> BotSettings:
    """What holds for one listed bot: its own entry, over the resource's settings."""
    return BotSettings(
        slug=bot.slug,
        layer=bot.layer,
        service=bot.service if bot.service is not None else names.default_service(bot.slug),
        port=bot.port if bot.port is not None else spec.probe.port,
        auto_restart=bot.auto_restart if bot.auto_restart is not None else spec.auto_restart,
        max_decision_age_s=(
            bot.max_decision_age_seconds
            if bot.max_decision_age_seconds is not None
            else spec.probe.max_decision_age_seconds
        ),
        startup_grace_s=(
            bot.startup_grace_seconds if bot.startup_grace_seconds is not None else spec.restart.startup_grace_seconds
        ),
    )


def selected_bot(spec: Spec, *, slug: str, layer: str | None, service: str) -> BotSettings:
    """What holds for a bot that `spec.botSelector` found: the resource's settings."""
    return BotSettings(
        slug=slug,
        layer=layer,
        service=service,
        port=spec.probe.port,
        auto_restart=spec.auto_restart,
        max_decision_age_s=spec.probe.max_decision_age_seconds,
        startup_grace_s=spec.restart.startup_grace_seconds,
    )


def effective_timeout_ms(spec: Spec) -> int:
    """How long a poll may take, in ms: a third of the interval (section 9), or timeoutMilliseconds if less."""
    return min(spec.probe.timeout_milliseconds, spec.heartbeat_interval_seconds * 1000 // 3)


def notices(spec: Spec) -> tuple[Notice, ...]:
    """The parameters that are allowed but late, in two bands (decision 22)."""
    found = []
    interval_s, misses = spec.heartbeat_interval_seconds, spec.missed_heartbeats_to_alert
    if interval_s > 30:  # noqa: PLR2004 - the seed's own bands
        found.append(
            Notice(
                band="warning" if interval_s > 120 else "notice",  # noqa: PLR2004
                parameter="heartbeatIntervalSeconds",
                message=(
                    f"heartbeatIntervalSeconds is {interval_s}: detection latency increased "
                    f"(a dead bot is paged about after {interval_s * misses} s)"
                ),
            )
        )
    if misses > 3:  # noqa: PLR2004
        found.append(
            Notice(
                band="warning" if misses > 5 else "notice",  # noqa: PLR2004
                parameter="missedHeartbeatsToAlert",
                message=(
                    f"missedHeartbeatsToAlert is {misses}: alert latency increased "
                    f"(a dead bot is paged about after {interval_s * misses} s)"
                ),
            )
        )
    return tuple(found)


def _refuse_shared_services(resource: str, bots: Iterable[BotSettings]) -> None:
    """Two bots behind one Service would be two verdicts about the same pods, and two restart budgets for them."""
    owners: dict[str, str] = {}
    messages = []
    for index, bot in enumerate(bots):
        owner = owners.setdefault(bot.service, bot.slug)
        if owner != bot.slug:
            messages.append(
                f"{resource}: spec.bots[{index}].service: {bot.slug!r} is behind Service {bot.service!r}, and so is "
                f"{owner!r}; each bot has a Service of its own"
            )
    if messages:
        raise ConfigError(INVALID_SPEC, _bounded(messages))


def _refusal(resource: str, error: ValidationError) -> ConfigError:
    details = error.errors(include_url=False)
    code: Code = APPROVAL if any(detail["type"] == APPROVAL for detail in details) else INVALID_SPEC
    # The locked ones first: they say why the code is what it is.
    details.sort(key=lambda detail: detail["type"] != APPROVAL)
    return ConfigError(code, _bounded([f"{resource}: {sentence(detail)}" for detail in details]))


def _bounded(messages: list[str]) -> list[str]:
    """A thousand broken bots make one readable message."""
    if len(messages) <= MAX_MESSAGES:
        return messages
    return [*messages[:MAX_MESSAGES], f"and {len(messages) - MAX_MESSAGES} more"]
