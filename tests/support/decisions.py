"""Decisions about the restart of one bot that is down, ahead of its pods and by them."""

from typing import Any

from healthheartbeat.api.annotations import Pause
from healthheartbeat.core import restart
from healthheartbeat.core.ledger import BotLedger
from healthheartbeat.core.restart import Decision, PodFacts
from support.examples import SLUG, at, bot, down, policy


def early(before: BotLedger | None = None, pause: Pause | None = None, **changes: Any) -> Decision | None:
    """What is decided before its pods are looked at; `changes`: of the bot."""
    return restart.before_pods(before or down(), bot(SLUG, **changes), policy=policy(), pause=pause, now=at(0))


def decided(*pods: PodFacts, of: BotLedger | None = None, storm: bool = False, **changes: Any) -> Decision:
    """What is decided by its pods; `changes`: of the policy."""
    return restart.decide(of or down(), bot(SLUG), pods, policy=policy(**changes), storm=storm, now=at(0))
