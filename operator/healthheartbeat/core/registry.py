"""Who is to be polled: bots, each with the pods behind its Service (decision 1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One live pod behind a bot's Service, as its EndpointSlices list it; `port` 0: it lacks the one to be asked at."""

    uid: str
    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """One bot of the registry.

    `selector` is its Service's; empty where the Service is missing or selects nothing. `pod_port`: its pods' own port
    as the Service has it, by number or by a container's name for it; 0: not known. `target` changes with all that says
    who is asked and for what (Service, selector, port, path); empty where nobody is. `unpolled_words` says why `pods`
    is empty, for people. `claimed_words` names the other claimant where the Service belongs to more than one bot.
    """

    slug: str
    service: str
    path: str
    layer: str = ""
    auto_restart: bool = True
    max_decision_age_s: int | None = None
    startup_grace_ms: int = 120_000
    pods: tuple[Pod, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    pod_port: int | str = 0
    target: str = ""
    unpolled_words: str = "no address behind its Service"
    claimed_words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The bots of one resource, by slug in order, and when they were read (both clocks, milliseconds).

    `foreign`: selectors of the Services that other resources of the namespace make bots of, by their names for people.
    """

    bots: Mapping[str, Bot]
    read_wall_ms: int
    read_mono_ms: int
    foreign: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def age_ms(self, mono_ms: int) -> int:
        """How old this reading is."""
        return max(0, mono_ms - self.read_mono_ms)
