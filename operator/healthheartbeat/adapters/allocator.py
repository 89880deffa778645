"""Gives memory that was freed back to the kernel.

glibc keeps a page of its heap for as long as anything behind it is in use. Answers and connections come and go between
things that stay, so that a process which sweeps every second holds 10 MB more after an hour, all of it free.
"""

import asyncio
import ctypes
from typing import Final, NoReturn

EVERY_S: Final = 600.0
# Not there on macOS, nor with musl.
_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Give back every free page; a millisecond, or some for each 10 MB of them."""
    if _TRIM is not None:
        _TRIM(0)


async def keep_giving_back() -> NoReturn:
    """Do so again and again, until cancelled; in a thread, so that the loop turns meanwhile."""
    while True:
        await asyncio.sleep(EVERY_S)
        await asyncio.to_thread(give_back)
