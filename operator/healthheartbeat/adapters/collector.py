"""Python's garbage collector, set for a process that sweeps: reference counts free all but a few circles."""

import gc


def settle() -> None:
    """Call it once, when everything is loaded and nothing runs yet: a probe costs a tenth less (tests/bench), and no
    collection stalls the loop for tens of ms.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays: it need not be looked at again by every full collection
    # Each looks at all that came since the last of its kind, at a microsecond an object: few at a time. A young one may
    # find several times its threshold, as what is freed meanwhile is taken off. What a middle one finds still held, and
    # is let go of in a circle later, waits for a full one: those are rare, as they look at all that is known of bots.
    gc.set_threshold(1_000, 4, 200)
