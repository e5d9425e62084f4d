"""What whoever names an optimizer should be told before it is trained."""

from regbench.records import Candidate, Coupling, Part

KNOWN_FAULTS = {
    "ScheduleFreeAdamW": (
        "keras.optimizers.ScheduleFreeAdamW is not Schedule-Free (Keras 3.15.1): the momentum of before is an alias of "
        "the new one, so that the weights become a plain running mean and beta_1 has no effect; "
        "optax_schedule_free and pytorch_optimizer_schedule_free are"
    ),
}
"""Classes that do not compute what they are named for, by their name in `keras.optimizers`."""

_WITHOUT_RATE = (Coupling.NONE, Coupling.L2, Coupling.DECOUPLED_CONSTANT)
_SECOND_RATES = ("rest", "adam_learning_rate", "adamw_lr")
"""Arguments of guests with which some weights are stepped at a rate of their own."""


def warnings_on(candidate: Candidate) -> list[str]:
    """What should be known of a candidate, a line each."""
    return [*faults_in(candidate.optimizer), *_on_its_rates(candidate)]


def faults_in(optimizer: Part) -> list[str]:
    """What is known to be wrong with the classes of Keras that a candidate names as `keras.optimizers:Class`."""
    named = (part.name.rpartition(":") for part in optimizer.with_inner())
    return [KNOWN_FAULTS[kind] for module, _, kind in named if module.startswith("keras.") and kind in KNOWN_FAULTS]


def _on_its_rates(candidate: Candidate) -> list[str]:
    """Where weights are stepped at two rates, a decay that is times the rate knows one of them."""
    if candidate.decay.coupling in _WITHOUT_RATE:
        return []
    return [
        f"{candidate.name}: the decay is times the learning rate of {part.name}, also on weights that `{second}` "
        "is for, if any of them decays"
        for part in candidate.optimizer.with_inner()
        for second in _SECOND_RATES
        if second in part.arguments
    ]
