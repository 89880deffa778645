"""The status of a HealthHeartbeat resource, as on the wire: dictionaries with checked keys, for one is made per sweep.

The API server refuses a whole status for one field out of bounds, and the old one misleads whoever reads it. So every
free text goes through `api.text.clip` with its limit from here.
"""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from healthheartbeat.api import names
from healthheartbeat.api.codes import Action, AlertName, BotState, MissReason
from healthheartbeat.api.report import OperationsReport
from healthheartbeat.api.times import MAX_RFC3339_LENGTH

MAX_MESSAGE_LENGTH: Final = 160
"""Of a bot's `message` and `actionReason`: with a thousand bots down, this is what fills the object (etcd: 1.5 MiB)."""
MAX_CONDITION_MESSAGE_LENGTH: Final = 4096
MAX_CONDITIONS: Final = 16
MAX_RESTART_TIMES: Final = 32
MAX_TARGET_LENGTH: Final = 16
MAX_PENDING_PODS: Final = 1000
"""Pods deleted in one restart, at most: the write-ahead record names them all."""
MAX_UID_LENGTH: Final = 64
MAX_KEY_LENGTH: Final = 96

Count = Annotated[int, Field(ge=0)]
Slug = Annotated[str, Field(max_length=names.MAX_SLUG_LENGTH)]
Time = Annotated[str, Field(max_length=MAX_RFC3339_LENGTH, json_schema_extra={"format": "date-time"})]
RestartTimes = Annotated[list[Time], Field(max_length=MAX_RESTART_TIMES)]
Firing = Annotated[list[AlertName], Field(max_length=16)]
ENDING: Final = "Alerts that have ended, and whose end not every sink knows yet: a successor sees to it."

ConditionType = Literal["Ready", "BotsHealthy", "RegistryFresh", "RestartsAllowed"]


class Condition(TypedDict):
    """One condition, as in every Kubernetes resource."""

    type: Annotated[
        str,
        Field(max_length=316, description="Ready, BotsHealthy, RegistryFresh or RestartsAllowed."),
    ]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="True, False or Unknown.")]
    observedGeneration: NotRequired[
        Annotated[int, Field(ge=0, description="Generation of the spec that the condition was decided on.")]
    ]
    lastTransitionTime: Annotated[Time, Field(description="When the condition's status last changed.")]
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            description="Why, in one word for programs.",
        ),
    ]
    message: Annotated[str, Field(max_length=MAX_CONDITION_MESSAGE_LENGTH, description="Why, in words for people.")]


class PendingRestart(TypedDict):
    """A restart written ahead: decided and recorded, its outcome not yet known (decision 20)."""

    key: Annotated[
        str, Field(max_length=MAX_KEY_LENGTH, description="Idempotency key: the slug, '@' and the sweep's start in ms.")
    ]
    time: Annotated[Time, Field(description="When it was decided.")]
    pods: Annotated[
        list[Annotated[str, Field(max_length=MAX_UID_LENGTH)]],
        Field(max_length=MAX_PENDING_PODS, description="UIDs of the pods to be deleted."),
    ]


class BotStatus(TypedDict):
    """What is known of one bot."""

    slug: Annotated[Slug, Field(description="The bot.")]
    layer: NotRequired[Annotated[str, Field(max_length=names.MAX_LAYER_LENGTH, description="The layer it belongs to.")]]
    state: Annotated[
        BotState,
        Field(description="Whether it answers: Missing is fewer misses than the threshold, Down as many or more."),
    ]
    missCount: Annotated[Count, Field(description="Misses in a row.")]
    lastSeenTime: NotRequired[
        Annotated[
            Time,
            Field(
                description="Last good answer. Absent while Healthy (it is lastSweepTime then) and before the first."
            ),
        ]
    ]
    seenAs: NotRequired[
        Annotated[
            str,
            Field(
                max_length=MAX_TARGET_LENGTH,
                description="Stands for the Service, selector, port and path with which it was last seen healthy.",
            ),
        ]
    ]
    reason: NotRequired[Annotated[MissReason, Field(description="Why the last miss was one.")]]
    message: NotRequired[Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH, description="The last miss in words.")]]
    action: NotRequired[Annotated[Action, Field(description="What was last done about it, or why nothing more was.")]]
    actionReason: NotRequired[
        Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH, description="Why that was done, in words.")]
    ]
    restartTimes: NotRequired[
        Annotated[RestartTimes, Field(description="Automatic restarts within the budget's window, with milliseconds.")]
    ]
    pendingRestart: NotRequired[
        Annotated[PendingRestart, Field(description="A restart decided and recorded, its outcome not yet known.")]
    ]
    restartPausedUntil: NotRequired[
        Annotated[
            Time,
            Field(description="Until when automatic restarts are paused by annotation; in the year 9999: without end."),
        ]
    ]
    firing: NotRequired[Annotated[Firing, Field(description="The bot's firing alerts; they outlive the operator.")]]
    ending: NotRequired[Annotated[Firing, Field(description=ENDING)]]


class FormerBot(TypedDict):
    """A bot that left the registry: coming back grants it no fresh restart budget, and its pages must end."""

    slug: Annotated[Slug, Field(description="The bot.")]
    layer: NotRequired[
        Annotated[
            str, Field(max_length=names.MAX_LAYER_LENGTH, description="The layer it belonged to, as its pages say.")
        ]
    ]
    restartTimes: NotRequired[
        Annotated[RestartTimes, Field(description="Automatic restarts within the budget's window, with milliseconds.")]
    ]
    pendingRestart: NotRequired[
        Annotated[PendingRestart, Field(description="A restart decided and recorded, its outcome not yet known.")]
    ]
    ending: NotRequired[Annotated[Firing, Field(description=ENDING)]]


class Status(TypedDict, total=False):
    """What the operator knows of the resource and its bots."""

    observedGeneration: Annotated[int, Field(ge=0, description="Generation of the spec that was last looked at.")]
    totalBots: Annotated[Count, Field(description="Bots in the registry.")]
    healthyBots: Annotated[Count, Field(description="Bots that answered well in the last sweep.")]
    unhealthyBots: Annotated[Count, Field(description="Bots that missed their check in the last sweep.")]
    downBots: Annotated[Count, Field(description="Bots at or above the threshold of misses.")]
    recentRestarts: Annotated[Count, Field(description="Automatic restarts of all bots within the budget's window.")]
    healthySummary: Annotated[str, Field(max_length=32, description="Healthy bots of all bots, as in 96/97.")]
    lastSweepTime: Annotated[Time, Field(description="Start of the last completed sweep.")]
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=MAX_CONDITIONS,
            description="Ready, BotsHealthy, RegistryFresh and RestartsAllowed.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ]
    lastReport: Annotated[
        OperationsReport,
        Field(description="The last OperationsReport.", json_schema_extra={"x-kubernetes-map-type": "atomic"}),
    ]
    firing: Annotated[Firing, Field(description="Firing alerts of the resource itself, such as a storm.")]
    ending: NotRequired[Annotated[Firing, Field(description=ENDING)]]
    bots: Annotated[
        list[BotStatus],
        Field(
            max_length=names.MAX_BOTS,
            description="Every bot, sorted by slug.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]
    formerBots: Annotated[
        list[FormerBot],
        Field(
            max_length=names.MAX_BOTS,
            description="Bots that left the registry with a restart in the budget's window, or while a page fired.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]
