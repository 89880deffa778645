"""The status page's HTML: templates that escape, and the policy that keeps everything else out.

What is shown was written by others: slugs, layers, messages and reasons of pauses. Nothing in here marks any of it as
safe, no attribute is left unquoted, and the browser is told to run and load nothing but what is in the page itself.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

import jinja2
from markupsafe import Markup

from healthheartbeat.adapters.status_page.view import ResourceView, Seen, headline_of
from healthheartbeat.api.times import format_s
from healthheartbeat.core.headline import Tone

SHORTEST_REFRESH_S: Final = 5
LONGEST_REFRESH_S: Final = 15


def refresh_s(interval_ms: int) -> int:
    """How often a page asks again: twice a sweep, within bounds."""
    return min(LONGEST_REFRESH_S, max(SHORTEST_REFRESH_S, interval_ms // 2000))


def resource_page(view: ResourceView, *, problems: Sequence[str], process: str) -> bytes:
    """One resource's page. `process` names who answers; `problems` are its own."""
    return _render(
        "resource.html",
        view=view,
        seen=view.seen,
        tone=view.headline.tone,
        problems=problems,
        process=process,
        wall_ms=view.seen.wall_ms,
        refresh_s=refresh_s(view.seen.interval_ms),
        up="../../",
    )


def index_page(seen: Sequence[Seen], *, problems: Sequence[str], process: str, wall_ms: int) -> bytes:
    """All resources, worst first."""
    lines = sorted(((headline_of(one), one) for one in seen), key=lambda line: (-line[0].tone.rank, line[1].key))
    return _render(
        "index.html",
        lines=lines,
        problems=problems,
        process=process,
        wall_ms=wall_ms,
        tone=lines[0][0].tone if lines else Tone.UNSURE,
        refresh_s=LONGEST_REFRESH_S,
        up="",
    )


def message_page(title: str, words: str, *, up: str) -> bytes:
    """A page that only says something, such as that there is no such resource."""
    return _render(
        "message.html",
        title=title,
        words=words,
        tone=Tone.UNSURE,
        refresh_s=LONGEST_REFRESH_S,
        up=up,
    )


@cache
def headers() -> Mapping[str, str]:
    """Headers of every page: nothing is loaded, run, framed or sent anywhere but what the page itself holds."""
    policy = {
        "default-src": "'none'",
        "style-src": f"'{_hash(_text('style.css'))}'",
        "script-src": f"'{_hash(_text('refresh.js'))}'",
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }


def _render(template: str, **values: object) -> bytes:
    return _environment().get_template(template).render(values).encode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("healthheartbeat.adapters.status_page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = {"style": _text("style.css"), "script": _text("refresh.js")}
    environment.globals |= {name: Markup(text) for name, text in own.items()}  # noqa: S704 - ours, from the package
    environment.filters["time"] = format_s
    return environment


def _printable(value: object) -> object:
    """Text without what would turn it round or hide parts of it, such as marks for writing from right to left."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in value)


@cache
def _text(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
