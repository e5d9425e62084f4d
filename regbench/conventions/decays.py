"""What `weight_decay` means, by framework and optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DecayMeaning:
    """What an optimizer's own `weight_decay` does.

    Attributes:
        name: `library:Name`.
        argument: its name there.
        default: what it is unless given.
        coupling: what it is called here: `l2` is added to the gradient; `decoupled` is times the learning rate.
        note: what else there is to know.
    """

    name: str
    argument: str
    default: float | None
    coupling: Literal["l2", "decoupled", "inside the trust ratio"]
    note: str = ""


_ALL = "all weights, biases and norms too"

DECAYS = (
    DecayMeaning("keras:SGD", "weight_decay", None, "decoupled", _ALL),
    DecayMeaning("keras:Adam", "weight_decay", None, "decoupled", _ALL),
    DecayMeaning("keras:AdamW", "weight_decay", 0.004, "decoupled", _ALL),
    DecayMeaning("keras:Lion", "weight_decay", None, "decoupled", _ALL),
    DecayMeaning("keras:Lamb", "weight_decay", None, "decoupled", "outside of the trust ratio"),
    DecayMeaning("keras:Muon", "weight_decay", 0.004, "decoupled", "and adam_weight_decay, 0.004, of the rest"),
    DecayMeaning("torch:SGD", "weight_decay", 0.0, "l2"),
    DecayMeaning("torch:Adam", "weight_decay", 0.0, "l2", "decoupled with decoupled_weight_decay=True"),
    DecayMeaning("torch:AdamW", "weight_decay", 0.01, "decoupled"),
    DecayMeaning("torch:NAdam", "weight_decay", 0.0, "l2", "decoupled with decoupled_weight_decay=True"),
    DecayMeaning("torch:RMSprop", "weight_decay", 0.0, "l2"),
    DecayMeaning("torch:Adagrad", "weight_decay", 0.0, "l2"),
    DecayMeaning("torch:Muon", "weight_decay", 0.1, "decoupled"),
    DecayMeaning("pytorch_optimizer:SOAP", "weight_decay", 0.01, "decoupled"),
    DecayMeaning("pytorch_optimizer:Lion", "weight_decay", 0.0, "decoupled", "l2 with weight_decouple=False"),
    DecayMeaning("optax:adamw", "weight_decay", 0.0001, "decoupled", "`mask` says of which weights"),
    DecayMeaning("optax:lion", "weight_decay", 0.001, "decoupled", "`mask` says of which weights"),
    DecayMeaning("optax:lamb", "weight_decay", 0.0, "inside the trust ratio"),
    DecayMeaning("optax.contrib:muon", "weight_decay", 0.0, "decoupled", "and adam_weight_decay, 0, of the rest"),
    DecayMeaning("optax.contrib:ademamix", "weight_decay", 0.0, "decoupled"),
)
"""As the sources and signatures of Keras 3.15, PyTorch 2.14, pytorch_optimizer 4.1 and optax 0.2.8 have it."""
