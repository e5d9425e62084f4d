"""What `weight_decay` means, by framework and optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Meaning = Literal["l2", "decoupled", "decoupled_constant", "inside the trust ratio", "none"]


@dataclass(frozen=True)
class DecayMeaning:
    """What an optimizer's own `weight_decay` does.

    Attributes:
        name: `library:Name`.
        default: what it is unless given; None and 0 are off.
        coupling: what it is called here: `l2` is added to the gradient; `decoupled` is times the learning rate,
            `decoupled_constant` is not; `none` where it has none.
        note: what else there is to know.
        argument: its name there.
    """

    name: str
    default: float | None
    coupling: Meaning
    note: str = ""
    argument: str = "weight_decay"


def _of(
    library: str, names: Iterable[str], default: float | None, coupling: Meaning, note: str = ""
) -> list[DecayMeaning]:
    return [DecayMeaning(f"{library}:{name}", default, coupling, note) for name in names]


_ALL = "all weights, biases and norms too"
_DECOUPLE = "l2 with weight_decouple=False"
_COUPLE = "decoupled with weight_decouple=True"
_TORCH_COUPLES = "decoupled with decoupled_weight_decay=True"
_MASK = "`mask` says of which weights"
_DIVIDES = "after the step, divided by 1 + rate * decay; as others with weight_decouple=True"
_ESTIMATED = "times the rate that it estimates"

DECAYS = (
    *_of("keras", ("SGD", "Adam"), None, "decoupled", _ALL),
    *_of("keras", ("AdamW",), 0.004, "decoupled", _ALL),
    *_of("keras", ("Adadelta", "Adafactor", "Adagrad", "Adamax", "Ftrl", "Lion", "Nadam"), None, "decoupled", _ALL),
    *_of("keras", ("RMSprop", "ScheduleFreeAdamW"), None, "decoupled", _ALL),
    *_of("keras", ("Lamb",), None, "decoupled", "outside of the trust ratio"),
    *_of("keras", ("Muon",), 0.004, "decoupled", "of matrices; of the rest adam_weight_decay, 0.004"),
    *_of("torch", ("SGD",), 0.0, "l2"),
    *_of("torch", ("Adam", "NAdam", "RAdam"), 0.0, "l2", _TORCH_COUPLES),
    *_of("torch", ("AdamW",), 0.01, "decoupled"),
    *_of("torch", ("ASGD", "Adadelta", "Adagrad", "Adamax", "RMSprop"), 0.0, "l2"),
    *_of("torch", ("Adafactor",), 0.0, "decoupled"),
    *_of("torch", ("Muon",), 0.1, "decoupled"),
    *_of("torch", ("LBFGS", "Rprop", "SparseAdam"), None, "none"),
    *_of("pytorch_optimizer", ("SOAP",), 0.01, "decoupled"),
    *_of("pytorch_optimizer", ("Lion",), 0.0, "decoupled", _DECOUPLE),
    *_of("pytorch_optimizer", ("MARS",), 0.0, "decoupled", "of matrices; of vectors weight_decay_1d, 0.1"),
    *_of("pytorch_optimizer", ("Prodigy",), 0.0, "decoupled", f"{_ESTIMATED}; {_DECOUPLE}"),
    *_of("pytorch_optimizer", ("ScheduleFreeAdamW",), 0.0, "decoupled", "of the point of the gradient"),
    *_of("pytorch_optimizer", ("Adan",), 0.0, "decoupled", _DIVIDES),
    *_of("pytorch_optimizer", ("ADOPT", "AdEMAMix", "Shampoo"), 0.0, "l2", _COUPLE),
    *_of("pytorch_optimizer", ("SAM",), None, "none", "that of the optimizer inside"),
    *_of("optax", ("adamw",), 0.0001, "decoupled", _MASK),
    *_of("optax", ("nadamw",), 0.0001, "decoupled", _MASK),
    *_of("optax", ("lion",), 0.001, "decoupled", _MASK),
    *_of("optax", ("adadelta",), 0.0, "l2", _MASK),
    *_of("optax", ("lamb",), 0.0, "inside the trust ratio", _MASK),
    DecayMeaning("optax:adafactor", None, "decoupled_constant", "not times the rate", "weight_decay_rate"),
    *_of("optax", ("sgd", "adam", "rmsprop", "adagrad"), None, "none", "optax.add_decayed_weights before it is l2"),
    *_of("optax.contrib", ("muon",), 0.0, "decoupled", "of matrices; of the rest adam_weight_decay, 0"),
    *_of("optax.contrib", ("ademamix",), 0.0, "decoupled", _MASK),
    *_of("optax.contrib", ("schedule_free_adamw",), 0.0, "decoupled", "of the point of the gradient"),
    *_of("optax.contrib", ("prodigy",), 0.0, "decoupled", _ESTIMATED),
    *_of("optax.contrib", ("cocob",), 0.0, "l2"),
    *_of("optax.contrib", ("dog",), None, "l2"),
)
"""As the sources and signatures of Keras 3.15, PyTorch 2.14, pytorch_optimizer 4.1 and optax 0.2.8 have it."""

_BY_NAME = {one.name: one for one in DECAYS}


def decay_of(name: str) -> DecayMeaning | None:
    """What the decay of `library:Name` is; None where that is not known here."""
    return _BY_NAME.get(name)
