"""Optimizers and wrappers of optimizers, usable in any `model.compile(optimizer=...)`.

Wrappers nest. Heavy-ball momentum on signed powers of the normalized gradient, with decoupled decay:

    momentum = keras.optimizers.SGD(learning_rate=1e-3, momentum=0.9)
    optimizer = DecoupledDecay(Normalized(SignedPower(momentum, power=0.7)), strength=2e-3)

The outermost wrapper sees the gradient first. `OptimizerWrapper` says how wrappers go together with gradient
accumulation, loss scaling, moving averages and clipping.
"""

from regbench.optimizers.adabelief import AdaBelief
from regbench.optimizers.adabound import AdaBound
from regbench.optimizers.ademamix import AdEMAMix
from regbench.optimizers.amsbound import AMSBound
from regbench.optimizers.averaged_weights import AveragedWeights
from regbench.optimizers.cautious_step import CautiousStep
from regbench.optimizers.clipped import Clipped
from regbench.optimizers.decoupled_decay import DecoupledDecay
from regbench.optimizers.kernel_muon import KernelMuon
from regbench.optimizers.kernels import is_kernel
from regbench.optimizers.lookahead import Lookahead
from regbench.optimizers.norm_pinned import NormPinned
from regbench.optimizers.normalized import Normalized
from regbench.optimizers.norms import register_norm
from regbench.optimizers.prodigy import Prodigy
from regbench.optimizers.radam import RAdam
from regbench.optimizers.schedule_free import ScheduleFree
from regbench.optimizers.sharpness_aware import SharpnessAware
from regbench.optimizers.signed_power import SignedPower
from regbench.optimizers.wrapper import OptimizerWrapper

__all__ = [
    "AMSBound",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "AveragedWeights",
    "CautiousStep",
    "Clipped",
    "DecoupledDecay",
    "KernelMuon",
    "Lookahead",
    "NormPinned",
    "Normalized",
    "OptimizerWrapper",
    "Prodigy",
    "RAdam",
    "ScheduleFree",
    "SharpnessAware",
    "SignedPower",
    "is_kernel",
    "register_norm",
]
