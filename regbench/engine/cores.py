"""How many cores there are for us."""

import os


def available_cores() -> int:
    """The cores that this process may use; fewer than the machine has where an affinity is set."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
