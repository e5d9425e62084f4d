"""Penalties on weights, usable in any `Dense(kernel_regularizer=...)`, and the prior that one of them comes from.

Each penalty has a class attribute `default_kernels` that says which kernels it was meant for: `"dense"`,
`"convolution"` or `"both"`. Nothing stops anyone from giving it to the others too, except that `SmoothKernel` has no
meaning for a dense kernel.
"""

from regbench.regularizers.eigenvalue_decay import EigenvalueDecay
from regbench.regularizers.gaussian_initializer import GaussianInitializer
from regbench.regularizers.group_lasso import GroupLasso
from regbench.regularizers.kernel_prior import KernelPrior
from regbench.regularizers.l1 import L1, ElasticNet
from regbench.regularizers.l2 import L2
from regbench.regularizers.norm_target import NormTarget
from regbench.regularizers.orthogonal import Orthogonal
from regbench.regularizers.row_norm import RowNorm
from regbench.regularizers.smooth_kernel import SmoothKernel
from regbench.regularizers.spectral_norm import SpectralNorm
from regbench.regularizers.to_initial import ToInitial

__all__ = [
    "L1",
    "L2",
    "EigenvalueDecay",
    "ElasticNet",
    "GaussianInitializer",
    "GroupLasso",
    "KernelPrior",
    "NormTarget",
    "Orthogonal",
    "RowNorm",
    "SmoothKernel",
    "SpectralNorm",
    "ToInitial",
]
