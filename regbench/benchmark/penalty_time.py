"""What penalties add to the time of a training step."""

from regbench.records import Part

PENALTIES = {"eigenvalue_decay": 0.1, "orthogonal": 4.0}
"""What the step of a penalty takes, as a share of the step without it: two hidden layers of 515 units, batches of 128.

With small networks or convolutions it is lost in the rest. Where the candidate's own runs are known, they tell it.
"""

NINE_PRODUCTS = 1.5
"""The same of eigenvalue decay that starts anew in each step."""

DENSE = ("mlp", "dropout_mlp")
"""Networks in which a step on the weights takes as long as one on the samples."""


def share(regularizer: Part | None) -> float:
    """What a penalty adds to the time of a step, as a share of it."""
    if regularizer is None:
        return 0.0
    inner = [share(one) for one in regularizer.arguments.values() if isinstance(one, Part)]
    starts_anew = regularizer.name == "eigenvalue_decay" and regularizer.arguments.get("warm_start") is not True
    own = NINE_PRODUCTS if starts_anew else PENALTIES.get(regularizer.name, 0.0)
    return max([own, *inner])
