"""Making a registry of what was read: bots, each with the pods to be polled (decision 1). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from healthheartbeat.adapters.kube import endpoints, roll, service_ports
from healthheartbeat.adapters.kube.endpoints import Endpoint, Endpoints
from healthheartbeat.adapters.kube.json_access import mapping, text, texts
from healthheartbeat.adapters.kube.pieces import Pieces
from healthheartbeat.adapters.kube.service_ports import NamedPort, NoPort
from healthheartbeat.api import names
from healthheartbeat.api.config import BotSettings, Config
from healthheartbeat.core.clock import Now
from healthheartbeat.core.registry import Bot, Pod, Registry

RawObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A registry, and in words what is amiss with what it was made of."""

    registry: Registry
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What was read, joined: the bots, and the Service and endpoints of each, by the Service's name."""

    config: Config
    roll: roll.Roll
    services: Mapping[str, RawObject]
    endpoints: Mapping[str, Endpoints]

    def unready_beside_ready(self) -> dict[str, str]:
        """Names by UID of the pods that are not ready while another of their bot is: their age has to be known."""
        unready: dict[str, str] = {}
        for bot in self.roll.bots.values():
            pods = self.endpoints.get(bot.service, endpoints.NOTHING).pods.values()
            if any(pod.ready for pod in pods):
                unready.update((pod.uid, pod.name) for pod in pods if not pod.ready)
        return unready


def join(config: Config, services: Iterable[RawObject], slices: Iterable[RawObject]) -> Pieces[Join]:
    """Join what was read in the namespace of `config`. Nothing that the raw objects may hold raises."""
    by_name = {text(mapping(service.get("metadata")).get("name")): service for service in services}
    by_name.pop("", None)
    behind = yield from endpoints.by_service(slices, config.namespace)
    called = roll.call_roll(config, by_name)
    yield
    return Join(config=config, roll=called, services=by_name, endpoints=behind)


def claims_of_others(joined: Join, resources: Iterable[RawObject]) -> dict[str, str]:
    """By Service: the other resource of the namespace that makes a bot of it too, the first by name."""
    claims: dict[str, str] = {}
    named = {text(mapping(entry.get("metadata")).get("name")): entry for entry in resources}
    for name in sorted(named.keys() - {"", joined.config.name}):
        for service in roll.claimed_services(named[name].get("spec"), joined.services):
            claims.setdefault(service, name)
    return claims


def build(joined: Join, *, claims: Mapping[str, str], pod_created_ms: Mapping[str, int], now: Now) -> Pieces[Built]:
    """The registry.

    `claims`: see `claims_of_others`. `pod_created_ms`: creation times by UID and our clock, where known (see
    `Join.unready_beside_ready`). `now`: when the reading began; the registry's age counts from there.
    """
    bots: dict[str, Bot] = {}
    problems = list(joined.roll.problems)
    for slug, settings in joined.roll.bots.items():
        yield
        bot, words = _bot(joined, settings, claims, pod_created_ms, now)
        bots[slug] = bot
        problems.extend(words)
    return Built(
        registry=Registry(
            bots=bots, read_wall_ms=now.wall_ms, read_mono_ms=now.mono_ms, foreign=_foreign(joined, claims)
        ),
        problems=tuple(problems),
    )


def _foreign(joined: Join, claims: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """Selectors of other resources' bots: a pod that one of them selects too is not ours alone to restart."""
    ours = {settings.service for settings in joined.roll.bots.values()}
    return {
        f"{service} (a bot of HealthHeartbeat {resource})": texts(
            mapping(joined.services.get(service, {}).get("spec")).get("selector")
        )
        for service, resource in claims.items()
        if service not in ours
    }


def _bot(
    joined: Join, settings: BotSettings, claims: Mapping[str, str], pod_created_ms: Mapping[str, int], now: Now
) -> tuple[Bot, list[str]]:
    service = joined.services.get(settings.service)
    behind = joined.endpoints.get(settings.service, endpoints.NOTHING)
    young = _young(behind, settings.startup_grace_s * 1000, pod_created_ms, now)
    pods, portless, words = _polled(settings, service, [pod for uid, pod in behind.pods.items() if uid not in young])
    if not pods and not words:
        words = _nobody(joined.config.namespace, settings.service, service, behind)
    problems = []
    if pods and portless:
        problems.append(
            f"bot {settings.slug}: without port {settings.port}, so that they miss: pods {', '.join(portless)}"
        )
    other = claims.get(settings.service)
    path = joined.config.spec.probe.path.replace(names.SLUG_PLACEHOLDER, settings.slug)
    selector = texts(mapping((service or {}).get("spec")).get("selector"))
    pod_port = 0 if service is None else service_ports.of_pods(settings.port, service)
    asked = (settings.service, sorted(selector.items()), settings.port, pod_port, path)
    return Bot(
        slug=settings.slug,
        service=settings.service,
        path=path,
        layer=settings.layer or "",
        auto_restart=settings.auto_restart,
        max_decision_age_s=settings.max_decision_age_s,
        startup_grace_ms=settings.startup_grace_s * 1000,
        pods=pods,
        selector=selector,
        pod_port=pod_port,
        target="" if service is None else _target(asked),
        unpolled_words=words,
        claimed_words=(
            f"Service {settings.service} is a bot of HealthHeartbeat {joined.config.namespace}/{other} too: "
            "two would restart its pods"
            if other
            else ""
        ),
    ), problems


def _target(asked: object) -> str:
    """Stands for what is asked. Where that is put together anew by a later release, so is its first character."""
    return "1" + blake2b(repr(asked).encode(), digest_size=7).hexdigest()


def _young(behind: Endpoints, grace_ms: int, pod_created_ms: Mapping[str, int], now: Now) -> set[str]:
    """Pods still starting while another serves: a rolling update is no failure. A pod of unknown age is not young."""
    if not any(pod.ready for pod in behind.pods.values()):
        return set()
    return {
        uid
        for uid, pod in behind.pods.items()
        if not pod.ready and uid in pod_created_ms and now.is_younger(pod_created_ms[uid], grace_ms)
    }


def _polled(
    settings: BotSettings, service: RawObject | None, live: list[Endpoint]
) -> tuple[tuple[Pod, ...], list[str], str]:
    """The pods to poll, names of those without the port, and why there are none to poll, as far as the port says."""
    if service is None:
        return (), [], ""
    port = service_ports.resolve(settings.port, service)
    if isinstance(port, NoPort):
        return (), [], f"Service {settings.service} {port.words}"
    numbers = {pod.uid: pod.ports.get(port.name) if isinstance(port, NamedPort) else port for pod in live}
    portless = [pod.name for pod in live if numbers[pod.uid] is None]
    if portless and len(portless) == len(live):
        words = f"no pod behind Service {settings.service} has its port {settings.port} (see the Service's targetPort)"
        return (), portless, words
    # Beside others, a pod without the port is polled all the same, and misses: silence is not to pass for health.
    pods = [Pod(uid=pod.uid, name=pod.name, address=str(pod.address), port=numbers[pod.uid] or 0) for pod in live]
    return tuple(pods), portless, ""


def _nobody(namespace: str, name: str, service: RawObject | None, behind: Endpoints) -> str:
    """Why nobody is behind a Service."""
    if service is None:
        return f"Service {name} does not exist in namespace {namespace}"
    spec = mapping(service.get("spec"))
    if spec.get("type") == "ExternalName":
        return f"Service {name} is of type ExternalName: no pod is behind it"
    if behind.terminating:
        return f"every pod behind Service {name} is terminating"
    if behind.foreign:
        return f"no address behind Service {name} is a pod's"
    if not texts(spec.get("selector")):
        return f"Service {name} has no selector: no pod is behind it"
    return f"no pod is behind Service {name}: none that its selector matches has an address"
