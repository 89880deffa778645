"""One entry of the inline registry, and the selector that finds bots without listing them."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.alias_generators import to_camel

from healthheartbeat.api import names
from healthheartbeat.api.rules import Rule

MAX_MATCH_LABELS: Final = 16
MAX_DECISION_AGE_S: Final = 86_400
MAX_STARTUP_GRACE_S: Final = 3600


def _number_or_name(value: object) -> object:
    """Nothing is converted: `true` and `8080.0` are no ports."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a port is a whole number or a string")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


Port = Annotated[
    int | str,
    BeforeValidator(_number_or_name),
    Rule(
        cel=(
            f"type(self) == int ? (self >= 1 && self <= {names.MAX_PORT}) : "
            f"(size(self) <= {names.MAX_PORT_NAME_LENGTH} && self.matches('{names.PORT_NAME_PATTERN}') "
            f"&& self.matches('{names.LETTER_PATTERN}'))"
        ),
        message=(
            f"a port is a number from 1 to {names.MAX_PORT}, or the name of a Service's port: lower-case letters, "
            "digits and '-', beginning and ending with a letter or digit, with at least one letter, at most "
            f"{names.MAX_PORT_NAME_LENGTH} characters"
        ),
        holds=names.is_port,
    ),
    Field(json_schema_extra={"maxLength": names.MAX_PORT_NAME_LENGTH}),
]
"""A port's number, or the name of a port of the bot's Service."""


def _without_nulls(value: object) -> object:
    """A label of null is an absent label to the API server."""
    if isinstance(value, dict):
        return {key: content for key, content in value.items() if content is not None}
    return value


MatchLabels = Annotated[
    dict[
        StrictStr,
        Annotated[StrictStr, Field(max_length=63, pattern=names.LABEL_VALUE_PATTERN, description="The label's value.")],
    ],
    Field(min_length=1, max_length=MAX_MATCH_LABELS),
    Rule(
        cel=f"self.all(key, size(key) <= {names.MAX_LABEL_KEY_LENGTH} && key.matches('{names.LABEL_KEY_PATTERN}'))",
        message=(
            "a label's key is a name of at most 63 letters, digits, '-', '_' and '.', beginning and ending with a "
            "letter or digit, after an optional DNS prefix and '/'"
        ),
        holds=names.are_label_keys,
    ),
    BeforeValidator(_without_nulls),
]


class Model(BaseModel):
    """Every object of the spec: camelCase on the wire, frozen, and nothing in it that is not known."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_alias=True, validate_by_name=True, extra="forbid", frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        """A null is an absent field to the API server, so that it takes the default; an unknown one stays unknown."""
        if not isinstance(value, dict) or None not in value.values():
            return value
        known = {field.alias for field in cls.model_fields.values()}
        return {key: content for key, content in value.items() if content is not None or key not in known}


class Bot(Model):
    """One bot of the inline registry; what it does not say comes from the resource."""

    slug: Annotated[
        StrictStr,
        Field(
            min_length=1,
            max_length=names.MAX_SLUG_LENGTH,
            pattern=names.SLUG_PATTERN,
            description="The bot's name, as in /internal/health/<slug>: lower-case letters, digits, '.', '_' and '-'.",
        ),
    ]
    layer: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            max_length=names.MAX_LAYER_LENGTH,
            pattern=names.LAYER_PATTERN,
            description="The layer that the bot belongs to; a label of its metrics and pages.",
        ),
    ] = None
    service: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            max_length=names.MAX_SERVICE_LENGTH,
            pattern=names.SERVICE_PATTERN,
            description=(
                "Name of the Service, in the resource's namespace, that the bot's pods are behind. Unset: the slug "
                "with '.' and '_' turned into '-'. Two bots of one Service are refused."
            ),
        ),
    ] = None
    port: Annotated[Port | None, Field(description="Port of this bot's health endpoint. Unset: probe.port.")] = None
    auto_restart: Annotated[
        StrictBool | None, Field(description="Whether this bot is restarted automatically. Unset: spec.autoRestart.")
    ] = None
    max_decision_age_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=1, le=MAX_DECISION_AGE_S, description="As probe.maxDecisionAgeSeconds, for this bot. Unset: the probe's."
        ),
    ] = None
    startup_grace_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=0,
            le=MAX_STARTUP_GRACE_S,
            description="As restart.startupGraceSeconds, for this bot. Unset: the restart's.",
        ),
    ] = None


class BotSelector(Model):
    """Which Services are bots without being listed."""

    match_labels: Annotated[
        MatchLabels,
        Field(description="Labels, at least one, that a Service of the resource's namespace must all have."),
    ]
