"""What Keras, PyTorch and optax mean by the same name: plain data, each with its source.

`PAIRS` says which optimizers are set side by side and with which arguments; `CAUSES` why two of them differ; `DECAYS`
what each framework's `weight_decay` does; `PORTS` how a setting is written elsewhere. `contracts.against` measures,
`scripts/conventions.py` writes what comes of it into docs/conventions.md. `couplings` has what each of our couplings
takes of a weight, `refusals` the optimizers with which some mean nothing.
"""

from regbench.conventions.causes import CAUSES, Cause, Condition, causes_of
from regbench.conventions.decays import DECAYS, DecayMeaning, decay_of
from regbench.conventions.faults import KNOWN_FAULTS, faults_in, warnings_on
from regbench.conventions.pairs import OF_MATRICES, PAIRS, Pair
from regbench.conventions.ports import PORTS, Port
from regbench.conventions.refusals import refusal
from regbench.conventions.work import GRADIENTS_OF_GUESTS

__all__ = [
    "CAUSES",
    "DECAYS",
    "GRADIENTS_OF_GUESTS",
    "KNOWN_FAULTS",
    "OF_MATRICES",
    "PAIRS",
    "PORTS",
    "Cause",
    "Condition",
    "DecayMeaning",
    "Pair",
    "Port",
    "causes_of",
    "decay_of",
    "faults_in",
    "refusal",
    "warnings_on",
]
