"""Classes that do not compute what they are named for."""

from regbench.records import Part

KNOWN_FAULTS = {
    "ScheduleFreeAdamW": (
        "keras.optimizers.ScheduleFreeAdamW is not Schedule-Free (Keras 3.15.1): the momentum of before is an alias of "
        "the new one, so that the weights become a plain running mean and beta_1 has no effect; "
        "optax_schedule_free and pytorch_optimizer_schedule_free are"
    ),
}
"""By the name of the class in `keras.optimizers`: what is wrong, in one line."""


def faults_in(optimizer: Part) -> list[str]:
    """What is known to be wrong with the classes of Keras that a candidate names as `keras.optimizers:Class`."""
    named = (part.name.rpartition(":") for part in optimizer.with_inner())
    return [KNOWN_FAULTS[kind] for module, _, kind in named if module.startswith("keras.") and kind in KNOWN_FAULTS]
