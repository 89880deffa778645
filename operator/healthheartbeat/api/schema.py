"""pydantic's JSON schema turned into a structural schema, as a CustomResourceDefinition wants it.

Structural: no `$ref`, no `anyOf` with null, one type per field. Titles go; a default of null is an absent field.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

MAX_WORD_LENGTH: Final = 64
"""Of one word of a vocabulary, those of later releases included."""
_REF_PREFIX: Final = "#/$defs/"
_KEPT: Final = (
    "type",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)

Schema = dict[str, Any]


def of_spec(model: Any) -> Schema:
    """The structural schema of what people write: with defaults, and nothing nullable (a null is an absent field)."""
    raw = TypeAdapter(model).json_schema(by_alias=True, mode="validation")
    return _render(raw, definitions=raw.get("$defs", {}), written_by_people=True)


def of_status(model: Any) -> Schema:
    """The structural schema of what the operator writes.

    A field that may be None is nullable. An enumeration's words are named in the description and not enforced: a newer
    operator under an older CRD would have its whole status refused for one new word.
    """
    raw = TypeAdapter(model).json_schema(by_alias=True, mode="serialization")
    return _render(raw, definitions=raw.get("$defs", {}), written_by_people=False)


def _render(raw: Mapping[str, Any], *, definitions: Mapping[str, Any], written_by_people: bool) -> Schema:
    is_named_type = "$ref" in raw
    raw, optional = _resolved(raw, definitions)
    if not written_by_people and is_named_type and "enum" in raw:
        raw = _open_vocabulary(raw)
    schema: Schema = {}
    if description := raw.get("description"):
        schema["description"] = " ".join(description.split())
    schema |= {key: raw[key] for key in _KEPT if key in raw}
    if written_by_people and raw.get("default") not in (None, []):
        schema["default"] = _default(raw["default"])
    if optional and not written_by_people:
        schema["nullable"] = True
    if schema.get("type") == "integer":
        schema["format"] = "int64"
    if "properties" in raw:
        schema["properties"] = {
            name: _render(content, definitions=definitions, written_by_people=written_by_people)
            for name, content in raw["properties"].items()
        }
    for keyword in ("items", "additionalProperties"):
        if isinstance(raw.get(keyword), Mapping):
            schema[keyword] = _render(raw[keyword], definitions=definitions, written_by_people=written_by_people)
    return schema


def _resolved(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """`raw` with its references and alternatives folded in, what stands outside over what stands inside.

    Also whether null was one of the alternatives. An alternative of integer and string becomes an int-or-string.
    """
    optional = False
    while True:
        outside = {key: value for key, value in raw.items() if key not in {"$ref", "anyOf"}}
        if "$ref" in raw:
            raw = {**definitions[raw["$ref"].removeprefix(_REF_PREFIX)], **outside}
        elif "anyOf" in raw:
            alternatives = [each for each in raw["anyOf"] if each.get("type") != "null"]
            optional = optional or len(alternatives) < len(raw["anyOf"])
            if {each.get("type") for each in alternatives} == {"integer", "string"}:
                raw = {**outside, "x-kubernetes-int-or-string": True}
            else:
                (alternative,) = alternatives
                raw = {**alternative, **outside}
        else:
            return raw, optional


def _open_vocabulary(raw: Mapping[str, Any]) -> Schema:
    words = ", ".join(raw["enum"])
    description = f"{raw['description']} One of: {words}."
    return {"type": "string", "maxLength": MAX_WORD_LENGTH, "description": description}


def _default(value: Any) -> Any:
    """An object's default is left empty: the API server fills in its fields' own."""
    return {} if isinstance(value, Mapping) else value
