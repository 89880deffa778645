"""A rule of the spec said once: what the API server evaluates (CEL), what the operator checks, and their words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

APPROVAL: Final = "PARAMETER_CHANGE_REQUIRES_APPROVAL"
"""The seed's code for a locked parameter (sections 7 and 8)."""
INVALID_SPEC: Final = "INVALID_SPEC"
"""Every other refusal."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Annotation on a field: `cel` decides at the API server, `holds` in the operator; the two must agree.

    A keyword of the schema (minimum, pattern, …) is preferred where its own message says what is allowed.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]
    code: str = INVALID_SPEC

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check `holds` after the field's own type."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Carry the rule into the CRD."""
        rendered = handler(schema)
        rendered.setdefault("x-kubernetes-validations", []).append({"rule": self.cel, "message": self.message})
        return rendered

    def _check(self, value: Any) -> Any:
        if not self.holds(value):
            # The code travels as the error's type; a brace in the message would be read as a placeholder.
            raise PydanticCustomError(self.code, "{message}", {"message": self.message})
        return value


def locked(*, cel: str, message: str, holds: Callable[[Any], bool]) -> Rule:
    """A rule of a parameter that the seed locks: its message begins with PARAMETER_CHANGE_REQUIRES_APPROVAL."""
    return Rule(cel=cel, message=f"{APPROVAL}: {message}", holds=holds, code=APPROVAL)
