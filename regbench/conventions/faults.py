"""Classes that do not compute what they are named for."""

KNOWN_FAULTS = {
    "ScheduleFreeAdamW": (
        "keras.optimizers.ScheduleFreeAdamW is not Schedule-Free (Keras 3.15.1): the momentum of before is an alias of "
        "the new one, so that the weights become a plain running mean and beta_1 has no effect; "
        "optax_schedule_free and pytorch_optimizer_schedule_free are"
    ),
}
"""By the name of the class in `keras.optimizers`: what is wrong, in one line."""
