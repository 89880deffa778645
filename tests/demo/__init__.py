"""`make demo`: the operator's main job, seen on this machine without a cluster."""
