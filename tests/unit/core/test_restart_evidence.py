"""What a restart mends: a pod that was silent at its own address and port, and once answered there."""

from dataclasses import replace

import pytest

from healthheartbeat.api.codes import Action, AlertName, MissReason
from healthheartbeat.core import restart
from healthheartbeat.core.restart import Decision
from healthheartbeat.core.verdict import Verdict
from support.decisions import decided, early
from support.examples import SICK, SLUG, STRANGER, WELL, at, bot, down, facts, ledger, policy, streak, sweeps


def test_a_pod_that_was_asked_at_an_address_not_its_own_is_refused() -> None:
    """Whoever writes a Service's EndpointSlices can say that a pod is where nobody answers."""
    hijacked = down(pods={SLUG: streak(3, address="10.0.0.66")})

    def told(*addresses: str) -> Decision:
        return decided(facts(addresses=addresses), of=hijacked)

    decision = told("10.0.0.1", "fd00::1")
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == (
        f"pod {facts().name} was asked at 10.0.0.66, and its addresses are 10.0.0.1, fd00::1: "
        f"the EndpointSlices of Service {bot().service} are wrong"
    )
    assert told("10.0.0.1", "10.0.0.66").action is Action.RESTARTED
    assert told().words.startswith(f"pod {facts().name} was asked at 10.0.0.66, and its addresses are none yet: ")


@pytest.mark.parametrize(
    ("pod_port", "ports", "words"),
    [
        (8080, {}, "and the Service leads to 8080"),
        ("http", {"http": 8080, "other": 9}, "and the Service leads to 8080"),
        ("http", {"other": 9}, "and it has none that is named http"),
    ],
)
def test_a_pod_that_was_asked_at_a_port_not_its_services_is_refused(
    pod_port: int | str, ports: dict[str, int], words: str
) -> None:
    """At its own address: a port is an EndpointSlice's word too."""

    def asked_at(port: int) -> Decision:
        silent, watched = down(pods={SLUG: streak(3, port=port)}), bot(SLUG, pod_port=pod_port)
        return restart.decide(silent, watched, [facts(ports=ports)], policy=policy(), storm=False, now=at(0))

    decision = asked_at(9)
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == (
        f"pod {facts().name} was asked at port 9, {words}: the EndpointSlices of Service {bot().service} are wrong"
    )
    if 8080 in (pod_port, *ports.values()):
        assert asked_at(8080).action is Action.RESTARTED


def test_a_bot_that_was_pointed_elsewhere_is_refused_until_it_is_seen_well_there() -> None:
    """A wrong Service, selector, port or path is somebody's mistake or malice: the pods found there are healthy."""
    well, _ = sweeps(ledger(), WELL, of=bot(target="1here"))
    silent, _ = sweeps(well, SICK, SICK, SICK, of=bot(target="1elsewhere"))
    decision = early(silent, target="1elsewhere")
    assert decision == Decision(
        action=Action.RESTART_REFUSED,
        words="it was not seen healthy since its Service, selector, port or path changed: a restart mends none of them",
    )
    assert early(silent, target="1here") is None
    seen, _ = sweeps(silent, WELL, SICK, SICK, SICK, of=bot(target="1elsewhere"))
    assert early(seen, target="1elsewhere") is None
    unknown, _ = sweeps(ledger(), SICK, SICK, SICK, of=bot(target="1elsewhere"))
    assert early(unknown, target="1elsewhere") is None, "seen healthy under a version that kept no target"
    other, _ = sweeps(well, SICK, SICK, SICK, of=bot(target="2here"))
    assert early(other, target="2here") is None, "a later release puts it together anew, which says nothing of the bot"


def test_misses_of_a_question_that_is_asked_no_more_restart_nobody() -> None:
    well, _ = sweeps(ledger(), WELL, of=bot(target="1here"))
    silent, _ = sweeps(well, SICK, SICK, SICK, of=bot(target="1elsewhere"))
    for target, action in (("1elsewhere", Action.RESTARTED), ("1here", Action.AWAITING_RESTART)):
        asked = bot(SLUG, target=target)
        assert restart.decide(silent, asked, [facts()], policy=policy(), storm=False, now=at(0)).action is action


AHEAD = Verdict.miss(MissReason.INVALID_BODY, "last_decision_ms is in the future", barred="has another clock")


@pytest.mark.parametrize(
    "misses", [(STRANGER,) * 3, (STRANGER, SICK, SICK), (SICK, STRANGER, SICK), (SICK, SICK, STRANGER)]
)
def test_a_bot_one_of_whose_answers_was_anothers_is_refused(misses: tuple[Verdict, ...]) -> None:
    """Whatever it did besides: the Service points at pods that are not the bot's."""
    decision = decided(facts(), of=sweeps(ledger(), *misses)[0])
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == f"pod pod-{SLUG} answers with another's slug: the Service points at the wrong pods"


def test_a_bot_whose_clock_or_ours_is_wrong_is_refused_and_paged_about() -> None:
    ahead, _ = sweeps(ledger(), AHEAD, AHEAD, AHEAD)
    decision = decided(facts(), of=ahead)
    assert (decision.action, decision.words) == (Action.RESTART_REFUSED, f"pod pod-{SLUG} has another clock")
    assert AlertName.BOT_DOWN in ahead.firing


def test_what_bars_a_restart_ends_with_the_streak() -> None:
    healed, _ = sweeps(ledger(), STRANGER, WELL, SICK, SICK, SICK)
    assert decided(facts(), of=healed).action is Action.RESTARTED
    moved, _ = sweeps(ledger(), STRANGER, of=bot(target="1there"))
    moved, _ = sweeps(replace(moved, seen_as="1here"), SICK, SICK, SICK, of=bot(target="1here"))
    asked = bot(target="1here")
    assert restart.decide(moved, asked, [facts()], policy=policy(), storm=False, now=at(0)).action is Action.RESTARTED


def test_a_pod_without_the_port_to_be_asked_at_is_refused() -> None:
    portless = down(pods={SLUG: streak(3, MissReason.NO_ENDPOINTS)})
    decision = decided(facts(), of=portless)
    assert decision.action is Action.RESTART_REFUSED
    assert decision.words == f"pod pod-{SLUG} has no port to be asked at, and a restart gives it none"
