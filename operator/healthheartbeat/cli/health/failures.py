"""What a command cannot do, in one line that says what was wrong and what to do; exit code 2, and no traceback."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import typer

from healthheartbeat.adapters.kube.errors import ApiError, ApiUnavailable, CredentialsError, Forbidden, NotFound
from healthheartbeat.adapters.kube.resources import NotOne
from healthheartbeat.cli.health.output import say

CANNOT_TELL: Final = 2
UNAUTHORIZED: Final = 401
NOT_SERVED: Final = 404
MAX_NAMED: Final = 10

Result = TypeVar("Result")


class CannotTellError(Exception):
    """A command cannot do what it was asked to; the message is for people, and says what to do."""


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` to its end; whatever the cluster refuses ends the program as `explained` says."""
    with explained():
        return asyncio.run(work)


@contextmanager
def explained() -> Iterator[None]:
    """End the program with exit code 2 and one line on stderr, for every failure that is not a bug."""
    try:
        yield
    except (CannotTellError, ApiError, CredentialsError, NotOne) as error:
        say(f"error: {words(error)}")
        raise typer.Exit(CANNOT_TELL) from None
    except KeyboardInterrupt:
        raise typer.Exit(CANNOT_TELL) from None


def words(error: Exception) -> str:
    """What was wrong and what to do."""
    match error:
        case NotOne(names=()):
            return (
                f"there is no HealthHeartbeat in namespace {error.namespace}; look elsewhere with -n, or make one "
                "(kubectl get healthheartbeats -A lists all)"
            )
        case NotOne():
            return (
                f"there are {len(error.names)} HealthHeartbeats in namespace {error.namespace}: name one with --name "
                f"({listed(error.names)})"
            )
        case Forbidden():
            return f"no right to do that: {said(error)}; ask for the role that the chart makes for people (view, edit)"
        case NotFound():
            return f"{said(error)}; kubectl get healthheartbeats -A lists those there are"
        case ApiUnavailable(status=code) if code == NOT_SERVED:
            return (
                "this cluster does not know HealthHeartbeats: the CRD is not installed, or this is another cluster "
                "(see --context; to install: kubectl apply --server-side -f crds/)"
            )
        case ApiError(status=code) if code == UNAUTHORIZED:
            return f"the cluster does not accept these credentials ({said(error)}); log in again, or see --context"
        case ApiUnavailable():
            return f"no answer from the cluster: {error}"
        case CredentialsError():
            return f"no way to a cluster: {error}"
    return str(error)


def said(error: ApiError) -> str:
    """The API server's own words, without what was asked before and the operator's advice after."""
    return error.message.partition(f": {error.status} ")[2].rpartition("; ")[0] or error.message


def nearest(wanted: str, known: Iterable[str]) -> str:
    """`: did you mean a, b?`, or the names there are where none is near."""
    names = sorted(known)
    near = get_close_matches(wanted, names, n=3, cutoff=0.5) or [name for name in names if wanted in name][:3]
    if near:
        return f"; did you mean {', '.join(near)}?"
    return f"; there are {listed(names)}" if names else "; it has no bots yet"


def listed(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    known = sorted(names)
    more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
    return ", ".join(known[:MAX_NAMED]) + more
