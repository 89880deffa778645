"""Which bots a resource has: those listed in it, and those that its botSelector finds among the Services (api.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from healthheartbeat.adapters.kube.json_access import mapping, mappings, text, texts
from healthheartbeat.api import names
from healthheartbeat.api.config import BotSettings, Config, selected_bot
from healthheartbeat.api.text import clip

MAX_SHOWN: Final = 80
MAX_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Roll:
    """The bots by slug, in order; and in words what is amiss with Services that ask to be bots and are none."""

    bots: Mapping[str, BotSettings]
    problems: tuple[str, ...] = ()


def call_roll(config: Config, services: Mapping[str, Mapping[str, Any]]) -> Roll:
    """The bots of `config`, given the raw `services` of its namespace by name.

    A listed bot wins over a selected Service of its slug, and over one that would be a second bot behind its Service.
    Of two Services with one slug the first by name wins. Over 1000 bots: the last by slug of the selected ones are
    left out. Each of these is said in `problems`.
    """
    listed = {bot.slug: bot for bot in config.bots}
    if config.spec.bot_selector is None:
        return Roll(dict(sorted(listed.items())))
    owners = {bot.service: bot.slug for bot in config.bots}
    wanted = config.spec.bot_selector.match_labels
    selected: dict[str, BotSettings] = {}
    problems: list[str] = []
    for name in sorted(services):
        metadata = mapping(services[name].get("metadata"))
        if not selects(wanted, texts(metadata.get("labels"))):
            continue
        annotations = mapping(metadata.get("annotations"))
        slug, words = _slug(annotations, name)
        if name in owners:
            words = _overruled(name, slug, owners[name])
        elif slug in listed:
            words = (
                f"Service {name} asks to be bot {slug}, which spec.bots lists behind {listed[slug].service}: that wins"
            )
        elif slug in selected:
            words = f"Services {selected[slug].service} and {name} both ask to be bot {slug}: the first is"
        elif slug:
            layer, words = _layer(annotations, name)
            selected[slug] = selected_bot(config.spec, slug=slug, layer=layer, service=name)
        if words:
            problems.append(words)
    kept, left_out = _bounded(selected, names.MAX_BOTS - len(listed))
    if left_out:
        shown = ", ".join(left_out[:MAX_LISTED]) + (", …" if len(left_out) > MAX_LISTED else "")
        problems.append(
            f"{len(listed) + len(selected)} bots are more than {names.MAX_BOTS}, the most of one resource: "
            f"not polled are {len(left_out)} that botSelector found ({shown}); make a second resource for them"
        )
    return Roll(dict(sorted((listed | kept).items())), tuple(problems))


def claimed_services(spec: object, services: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The Services that the raw `spec` of another resource makes bots of; refused there, it counts all the same."""
    raw = mapping(spec)
    claimed = set()
    for bot in mappings(raw.get("bots")):
        claimed.add(text(bot.get("service")) or names.default_service(text(bot.get("slug"))))
    wanted = texts(mapping(raw.get("botSelector")).get("matchLabels"))
    if wanted:
        claimed.update(
            name
            for name, service in services.items()
            if selects(wanted, texts(mapping(service.get("metadata")).get("labels")))
        )
    return claimed - {""}


def selects(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an object with `labels` is among those that `wanted` asks for."""
    return all(labels.get(key) == value for key, value in wanted.items())


def _overruled(service: str, slug: str, owner: str) -> str:
    """What is amiss with a selected Service that is a listed bot's: its annotation may be absent, or say the same."""
    if slug in ("", owner):
        return ""
    return f"Service {service} asks to be bot {slug}, and spec.bots lists it as {owner}: that wins"


def _slug(annotations: Mapping[str, Any], service: str) -> tuple[str, str]:
    slug = annotations.get(names.SLUG_ANNOTATION)
    if slug is None:
        return (
            "",
            f"Service {service} matches botSelector and has no annotation {names.SLUG_ANNOTATION}: it is not polled",
        )
    if not isinstance(slug, str) or not names.is_slug(slug):
        return "", (
            f"Service {service} matches botSelector and its annotation {names.SLUG_ANNOTATION} is "
            f"{clip(repr(slug), MAX_SHOWN)}, which is no slug: it is not polled"
        )
    return slug, ""


def _layer(annotations: Mapping[str, Any], service: str) -> tuple[str | None, str]:
    layer = annotations.get(names.LAYER_ANNOTATION)
    if layer is None or (isinstance(layer, str) and names.is_layer(layer)):
        return layer, ""
    return None, (
        f"Service {service}: its annotation {names.LAYER_ANNOTATION} is {clip(repr(layer), MAX_SHOWN)}, "
        "which is no layer: its bot has none"
    )


def _bounded(selected: Mapping[str, BotSettings], room: int) -> tuple[dict[str, BotSettings], list[str]]:
    ordered = sorted(selected)
    return {slug: selected[slug] for slug in ordered[: max(0, room)]}, ordered[max(0, room) :]
