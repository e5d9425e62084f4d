"""Penalties on weights, usable in any `Dense(kernel_regularizer=...)`, and the prior that one of them comes from.

Each penalty has a class attribute `default_kernels` that says which kernels it was meant for: `"dense"`,
`"convolution"` or `"both"`. Nothing stops anyone from giving it to the others too, except that `SmoothKernel` has no
meaning for a dense kernel.
"""

from regbench.regularizers.eigenvalue_decay import EigenvalueDecay
from regbench.regularizers.gaussian_initializer import GaussianInitializer
from regbench.regularizers.kernel_prior import KernelPrior
from regbench.regularizers.l2 import L2
from regbench.regularizers.orthogonal import Orthogonal
from regbench.regularizers.smooth_kernel import SmoothKernel

__all__ = [
    "L2",
    "EigenvalueDecay",
    "GaussianInitializer",
    "KernelPrior",
    "Orthogonal",
    "SmoothKernel",
]
