"""The secret that operator and watchdog share, in a file that may change under them (seed section 23).

One secret a line: the first is sent, all are accepted. So a secret is changed without a moment at which the two
disagree, however late each sees the file change: add the new one below, put it on top, take the old one away.
"""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Final

import structlog

MAX_BYTES: Final = 4096

log = structlog.get_logger(__name__)

_Stamp = tuple[int, int, int]


class SecretError(Exception):
    """The file has no secret that can be used. The message never holds what is in it."""


class SecretFile:
    """One file with secrets, read again whenever it changes. What cannot be read leaves the last good ones in force."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read the file. Raises SecretError where there is no secret to begin with."""
        self._path = Path(path)
        self._stamp: _Stamp | None = None
        self._secrets: tuple[bytes, ...] = ()
        self._problem = ""
        self._renew()
        if not self._secrets:
            raise SecretError(self._problem)

    @property
    def problem(self) -> str:
        """Why the file as it is now is not in force; empty where it is."""
        self._renew()
        return self._problem

    def to_send(self) -> str:
        """The Authorization header's value."""
        self._renew()
        return f"Bearer {self._secrets[0].decode()}"

    def accepts(self, authorization: str) -> bool:
        """Whether a header's value holds one of the secrets; how long it takes to say tells nothing about them."""
        self._renew()
        scheme, _, given = authorization.partition(" ")
        digest = _digest(given.strip().encode("utf-8", "surrogateescape"))
        found = False
        for secret in self._secrets:
            found |= hmac.compare_digest(_digest(secret), digest)
        return found and scheme.lower() == "bearer"

    def _renew(self) -> None:
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            secrets = _parse(self._path)
        except OSError as error:
            self._unusable(f"{self._path}: {error.strerror}")
        except SecretError as error:
            self._unusable(f"{self._path}: {error}")
        else:
            if self._secrets:
                log.info("SECRET_FILE", path=str(self._path), reason="it has changed: the new secrets are in force")
            self._stamp, self._secrets, self._problem = stamp, secrets, ""

    def _unusable(self, words: str) -> None:
        if words != self._problem and self._secrets:
            log.error("SECRET_FILE", reason=words, in_force="the last good secrets")
        self._problem, self._stamp = words, None


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _parse(path: Path) -> tuple[bytes, ...]:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SecretError(f"expected secrets in at most {MAX_BYTES} bytes, one a line")
    secrets = tuple(line.strip() for line in content.splitlines() if line.strip())
    if not secrets:
        raise SecretError("expected a secret, found nothing")
    if any(not 0x21 <= byte <= 0x7E for secret in secrets for byte in secret):  # noqa: PLR2004 - what a header may hold
        raise SecretError("a secret has visible ASCII characters only")
    return secrets


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
