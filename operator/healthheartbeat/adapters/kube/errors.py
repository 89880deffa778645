"""What a call to the Kubernetes API can fail with; messages name verb, object, what came and what to do."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A call failed. `status` is HTTP's, 0 where no answer came; `reason` the API server's one word, or ours.

    `resource`: where of a whole reading only the resource itself could be read, that.
    """

    resource: Mapping[str, Any] | None = None

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class NotFound(ApiError):  # noqa: N818 - the API's own word
    """404 in the API server's own words: the object does not exist. Never a proxy's 404, nor that of a missing CRD."""


class Conflict(ApiError):  # noqa: N818 - the API's own word
    """409 in the API server's own words: not the resourceVersion or UID that was required, or a name taken."""


class Forbidden(ApiError):  # noqa: N818 - the API's own word
    """403 in the API server's own words: a Role lacks a rule, or an admission policy said no."""


class ApiUnavailable(ApiError):  # noqa: N818 - a state, like the API's words above
    """Nothing definite was learnt: no connection, no answer in time, 5xx, 429, or an answer that is not the API's.

    `maybe_done`: the request is a write that had begun to leave, so it may have been carried out, or may yet be.
    """

    def __init__(self, status: int, reason: str, message: str, *, maybe_done: bool = False) -> None:
        super().__init__(status, reason, message)
        self.maybe_done = maybe_done


class CredentialsError(Exception):
    """No way to the API server: no kubeconfig, no such context, not in a pod, or a file that cannot be read."""
