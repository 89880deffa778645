"""Text from outside made fit for a bounded field."""

from typing import Final

_CUT: Final = "…"


def clip(text: str, limit: int) -> str:
    """`text` in at most `limit` characters (1 or more), on one line; what cannot be printed becomes "?".

    A field of the status that is too long, or a lone surrogate in it, would have the whole status write refused.
    """
    shown = text if len(text) <= limit else text[: limit - 1] + _CUT
    return shown if shown.isprintable() else "".join(c if c.isprintable() else "?" for c in shown)
