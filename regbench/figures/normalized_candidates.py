"""The optimizers of the experiments with normalized gradients."""

from regbench.figures.plan import candidate, part
from regbench.records import Candidate, Part

SOURCE = "Majumdar, https://github.com/titu1994/keras-normalized-optimizers"


def _normalized(norm: str, inner: Part) -> Candidate:
    name = {"sgd": "nsgd", "adam": "nadam"}[inner.name]
    return candidate(f"{name}_{norm}", SOURCE, part("normalized", inner_optimizer=inner, norm=norm))


def nsgd(norm: str, rate: float) -> Candidate:
    """Nesterov's momentum 0.9 on normalized gradients."""
    return _normalized(norm, part("sgd", learning_rate=rate, momentum=0.9, nesterov=True))


def normalized_adam(norm: str, rate: float) -> Candidate:
    """Adam on normalized gradients."""
    return _normalized(norm, part("adam", learning_rate=rate))


def adam(rate: float) -> Candidate:
    """Adam with Keras's defaults."""
    return candidate("adam_keras", SOURCE, part("adam", learning_rate=rate))


def rmsprop(rate: float) -> Candidate:
    """RMSprop with Keras's defaults."""
    return candidate("rmsprop_keras", SOURCE, part("rmsprop", learning_rate=rate, rho=0.9))
