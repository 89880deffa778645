"""Python's garbage collector, set for a process that sweeps: reference counts free all but a few circles."""

import gc


def settle() -> None:
    """Call it once, when everything is loaded and nothing runs yet: a probe costs a tenth less (tests/bench), and no
    collection stalls the loop for tens of ms.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays: it need not be looked at again by every full collection
    # kopf leaves each event behind in a circle, status and all: a collection of so many young objects takes 1 or 2 ms,
    # and one of those that outlived the last few not much more.
    gc.set_threshold(5_000, 1, 400)
