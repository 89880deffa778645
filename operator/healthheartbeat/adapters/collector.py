"""Python's garbage collector, set for a process that sweeps: reference counts free all but a few circles."""

import gc


def settle() -> None:
    """Call it once, when everything is loaded and nothing runs yet: a probe costs a tenth less (tests/bench), and no
    collection stalls the loop for tens of ms.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays: it need not be looked at again by every full collection
    # kopf leaves each event behind in a circle, status and all: a young collection of so many objects takes 1 or 2 ms.
    # The middle ones are few: what they find alive, such as the event that somebody still holds, waits for a full one.
    gc.set_threshold(5_000, 20, 40)
