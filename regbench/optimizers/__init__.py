"""Optimizers and wrappers of optimizers, usable in any `model.compile(optimizer=...)`.

Wrappers nest. Heavy-ball momentum on signed powers of the normalized gradient, with decoupled decay:

    momentum = keras.optimizers.SGD(learning_rate=1e-3, momentum=0.9)
    optimizer = DecoupledDecay(Normalized(SignedPower(momentum, power=0.7)), strength=2e-3)

The outermost wrapper sees the gradient first. `OptimizerWrapper` says how wrappers go together with gradient
accumulation, loss scaling, moving averages and clipping.
"""

from regbench.optimizers.adabelief import AdaBelief
from regbench.optimizers.adabound import AdaBound
from regbench.optimizers.amsbound import AMSBound
from regbench.optimizers.clipped import Clipped
from regbench.optimizers.decoupled_decay import DecoupledDecay
from regbench.optimizers.kernels import is_kernel
from regbench.optimizers.lookahead import Lookahead
from regbench.optimizers.normalized import Normalized
from regbench.optimizers.norms import register_norm
from regbench.optimizers.radam import RAdam
from regbench.optimizers.signed_power import SignedPower
from regbench.optimizers.wrapper import OptimizerWrapper

__all__ = [
    "AMSBound",
    "AdaBelief",
    "AdaBound",
    "Clipped",
    "DecoupledDecay",
    "Lookahead",
    "Normalized",
    "OptimizerWrapper",
    "RAdam",
    "SignedPower",
    "is_kernel",
    "register_norm",
]
