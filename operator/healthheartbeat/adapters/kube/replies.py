"""What an answer of the API server means: an object, a definite refusal in its own words, or doubt."""

from contextlib import suppress
from typing import Any, Final

from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable, Conflict, Forbidden, NotFound
from healthheartbeat.adapters.kube.wire import decoded, version
from healthheartbeat.api.text import clip

MAX_WORDS: Final = 500
TOO_MANY_REQUESTS: Final = 429
REQUEST_TIMEOUT: Final = 408
DEFINITE: Final[dict[int, type[ApiError]]] = {403: Forbidden, 404: NotFound, 409: Conflict}
ADVICE: Final = {
    400: "what was sent is not understood: the API server's version may not be supported",
    401: "the credentials are not accepted: they may have expired",
    403: "see the operator's Role, and admission policies",
    404: "it does not exist",
    409: "read it again and decide again",
    410: "list again",
    413: "it is too large for the API server",
    422: "it is against the object's schema or rules: see whether the CRD is of this version",
}


def read(status: int, content: bytes, *, words: str, write: bool) -> dict[str, Any]:
    """The object that came, for `words` (what was asked, for messages).

    Raises NotFound, Conflict, Forbidden or ApiError where the API server refused in its own words (a Status object),
    and ApiUnavailable for everything else: a proxy's or load balancer's answer says nothing definite of the API.
    """
    body = _json_object(content)
    if 200 <= status < 300 and body is not None:  # noqa: PLR2004 - HTTP's own classes
        return body
    said = _status_words(body)
    shown = clip(said or content[:MAX_WORDS].decode(errors="replace").strip() or "an empty body", MAX_WORDS)
    message = f"{words}: {status} {shown}"
    if said and 400 <= status < 500 and status not in (TOO_MANY_REQUESTS, REQUEST_TIMEOUT):  # noqa: PLR2004
        reason = str((body or {}).get("reason") or "")
        raise DEFINITE.get(status, ApiError)(status, reason, f"{message}; {ADVICE.get(status, 'it was refused')}")
    # 429 is said ahead of any work. Whatever else is not a definite answer may follow upon work that was done.
    maybe_done = write and status != TOO_MANY_REQUESTS
    raise ApiUnavailable(
        status,
        "TooManyRequests" if status == TOO_MANY_REQUESTS else "Unavailable",
        f"{message}; {_doubt(status, body, maybe_done=maybe_done)}",
        maybe_done=maybe_done,
    )


def read_version(status: int, content: bytes, *, words: str) -> str:
    """The resourceVersion of the object that came in answer to a write, as `read` otherwise; empty where it has none.

    Of a thousand bots' status all else would keep the loop for as long as making it did.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
        with suppress(ValueError):
            return version(content)
    read(status, content, words=words, write=True)
    return ""


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        body = decoded(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _status_words(body: dict[str, Any] | None) -> str:
    """The words of a Status object; empty for anything else."""
    if body is None or body.get("kind") != "Status":
        return ""
    return str(body.get("message") or body.get("reason") or "refused without words")


def _doubt(status: int, body: dict[str, Any] | None, *, maybe_done: bool) -> str:
    if status == 404 and body is None:  # noqa: PLR2004
        return "the API server does not serve this kind: see whether the CRD is installed"
    if body is None:
        return "that is no answer of the Kubernetes API: see what is between it and the operator"
    return "it may have been carried out all the same" if maybe_done else "the API server is overloaded or failing"
