"""The names that the contract fixes, and the grammar of those that people choose: slugs, Services, ports, probe paths.

A grammar is one regular expression, written so that RE2 (the API server), Rust (pydantic) and Python's `re` agree on
it: no look-around, no backreference. Use `fullmatch` in Python: there a bare `$` also stands before a last newline.
"""

import re
from collections.abc import Iterable
from typing import Final

GROUP: Final = "gov.polytraders.io"
VERSION: Final = "v1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "HealthHeartbeat"
PLURAL: Final = "healthheartbeats"
SINGULAR: Final = "healthheartbeat"
BOT_ID: Final = "gov.health_heartbeat"

SLUG_ANNOTATION: Final = f"{GROUP}/slug"
"""On a Service that `spec.botSelector` finds: the bot's slug."""
LAYER_ANNOTATION: Final = f"{GROUP}/layer"
"""On a Service that `spec.botSelector` finds: the bot's layer."""

SLUG_PLACEHOLDER: Final = "{slug}"
LEASE_PREFIX: Final = "healthheartbeat-"

MAX_BOTS: Final = 1000
MAX_SLUG_LENGTH: Final = 63
MAX_LAYER_LENGTH: Final = 63
MAX_SERVICE_LENGTH: Final = 63
MAX_PORT_NAME_LENGTH: Final = 63
MAX_PORT: Final = 65535
MAX_PATH_LENGTH: Final = 256
MAX_RESOURCE_NAME_LENGTH: Final = 253 - len(LEASE_PREFIX)
"""A resource's Lease is named after it, and no object's name is longer than 253."""
RESOURCE_NAME_ALLOWED: Final = (
    f"a {KIND}'s name has at most {MAX_RESOURCE_NAME_LENGTH} characters: its Lease is named {LEASE_PREFIX}<name>"
)

SLUG_PATTERN: Final = "^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$"
LAYER_PATTERN: Final = "^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$"
SERVICE_PATTERN: Final = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
PORT_NAME_PATTERN: Final = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
LETTER_PATTERN: Final = "[a-z]"
_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_SUBDOMAIN_PATTERN: Final = f"^{_DNS_LABEL}([.]{_DNS_LABEL})*$"
CONFIG_MAP_KEY_PATTERN: Final = "^[-._a-zA-Z0-9]+$"
LABEL_KEY_PATTERN: Final = f"^({_DNS_LABEL}([.]{_DNS_LABEL})*/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?$"
MAX_LABEL_KEY_LENGTH: Final = 253 + 1 + 63
LABEL_VALUE_PATTERN: Final = "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$"
_PATH_CHARACTER = "[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}"
_PATH_REST = f"({_PATH_CHARACTER}|/|[{{]slug[}}])*"
PATH_PATTERN: Final = f"^/(({_PATH_CHARACTER}){_PATH_REST})?[{{]slug[}}]{_PATH_REST}$"

_SLUG = re.compile(SLUG_PATTERN)
_LAYER = re.compile(LAYER_PATTERN)
_PORT_NAME = re.compile(PORT_NAME_PATTERN)
_LETTER = re.compile(LETTER_PATTERN)
_PATH = re.compile(PATH_PATTERN)
_LABEL_KEY = re.compile(LABEL_KEY_PATTERN)
_DOTS_TO_DASHES = str.maketrans("._", "--")


def is_slug(text: str) -> bool:
    """Whether `text` may name a bot; also what the slug annotation of a selected Service must satisfy."""
    return len(text) <= MAX_SLUG_LENGTH and _SLUG.fullmatch(text) is not None


def is_layer(text: str) -> bool:
    """Whether `text` may name a layer; also what the layer annotation of a selected Service must satisfy."""
    return len(text) <= MAX_LAYER_LENGTH and _LAYER.fullmatch(text) is not None


def is_port(port: int | str) -> bool:
    """Whether `port` is a port number, or may be the name of a Service's port (a DNS label with a letter in it).

    "8080" in quotes is refused: it is taken for a number where it is written and for a name where it is looked up.
    """
    if isinstance(port, str):
        return (
            len(port) <= MAX_PORT_NAME_LENGTH
            and _PORT_NAME.fullmatch(port) is not None
            and _LETTER.search(port) is not None
        )
    return 1 <= port <= MAX_PORT


def is_probe_path(text: str) -> bool:
    """Whether `text` may be a probe's path: one leading "/", holds {slug}, no host, query, fragment or blank."""
    return len(text) <= MAX_PATH_LENGTH and _PATH.fullmatch(text) is not None


def are_label_keys(labels: Iterable[str]) -> bool:
    """Whether every one of `labels` may be the key of a Kubernetes label."""
    return all(len(key) <= MAX_LABEL_KEY_LENGTH and _LABEL_KEY.fullmatch(key) is not None for key in labels)


def default_service(slug: str) -> str:
    """The Service a bot is behind when its entry names none: the slug with "." and "_" turned into "-"."""
    return slug.translate(_DOTS_TO_DASHES)
