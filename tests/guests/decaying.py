"""What an optimizer's own decay is, told from what it does, with its noise-free alternatives beside it."""

import numpy as np

from regbench import guests
from regbench.records import Kind, Part

RATE, DECAY, STEPS = 0.01, 0.1, 8
_GENERATOR = np.random.default_rng(1)
START = _GENERATOR.normal(size=(4, 3))
GRADIENTS = _GENERATOR.normal(size=(STEPS, 4, 3))


def path_of(name, arguments, l2=0.0, factor=1.0):
    """Where a guest goes with its own decay as its arguments say, an L2 term, and a decay before each step."""
    with guests.double_precision(name):
        guest = guests.guest_of(Part(name=name, arguments=arguments), keeps_decay=True)
        guest.start([START.copy()], [Kind.OTHER], 0)
        weight = START
        for noise in GRADIENTS:
            gradient, moved = noise + l2 * weight, weight * factor
            taken = guest.step(np.zeros(()), [gradient], 1.0, None, [moved.copy()] if factor != 1 else None)
            weight = np.array(np.from_dlpack(taken[0]))
    return weight


def coupling_of(name, argument, arguments):
    """The coupling that is nearest to what it does, where that is much nearer than the next."""
    own = path_of(name, arguments | {argument: DECAY})
    off = arguments | {argument: 0.0}
    candidates = {
        "l2": path_of(name, off, l2=DECAY),
        "decoupled": path_of(name, off, factor=1 - RATE * DECAY),
        "decoupled_constant": path_of(name, off, factor=1 - DECAY),
        "off": path_of(name, off),
    }
    distances = {coupling: np.max(np.abs(own - path)) for coupling, path in candidates.items()}
    nearest, second = sorted(distances, key=distances.get)[:2]
    return nearest if distances[nearest] < 0.3 * distances[second] else "none of these"
