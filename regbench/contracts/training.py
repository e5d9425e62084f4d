"""Small trainings that always begin alike, written so that they run on every backend that trains."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from regbench.contracts.verdicts import NotApplicableError, ViolationError
from regbench.optimizers.inside import chain

STEPS = 6
_GENERATOR = np.random.default_rng(1)
INPUTS = _GENERATOR.normal(size=(STEPS * 8, 4)).astype("float32")
# Outputs of a linear function, so that the loss of a linear model is convex and its least value is 0.
TARGETS = (INPUTS @ _GENERATOR.normal(size=(4, 2)) + 1).astype("float32")
START = [_GENERATOR.normal(size=shape).astype("float32") for shape in ((4, 2), (2,))]
KERNELS = {
    kind: (np.sign(draws) * (0.1 + np.abs(draws)) / 2).astype("float32")  # no entry is near 0, where |w| has a kink
    for kind, draws in (
        ("dense", _GENERATOR.normal(size=(6, 4))),
        ("convolution", _GENERATOR.normal(size=(3, 3, 2, 4))),
    )
}
HALF_OF_THE_DIGITS = float(np.finfo("float32").eps) ** 0.5


def require(*backends: str) -> None:
    """Raises `NotApplicableError` on the other backends."""
    backend = keras.backend.backend()
    if backend not in backends:
        raise NotApplicableError(f"not on this backend ({backend}); on {', '.join(backends)}")


def takes_two_gradients(optimizer: Any) -> bool:
    """Whether a step is `ascend` with a first gradient, `descend`, and `apply` with a second."""
    return getattr(optimizer, "gradients_per_step", 1) == 2


def take_step(optimizer: Any, gradients: list[Any], variables: list[Any]) -> None:
    """A step with these gradients, which are those at another point too where it, or one inside it, takes two."""
    for one in chain(optimizer):
        if takes_two_gradients(one):
            one.ascend(gradients, variables)
            one.descend(variables)
    optimizer.apply(gradients, variables)


@keras.saving.register_keras_serializable(package="regbench.contracts")
class OfTwoGradients(keras.Sequential):
    """Trains with an optimizer that takes two gradients a step, whatever the backend differentiates with."""

    def train_step(self, data: Any) -> Any:
        """Twice that of Keras: `ascend` in place of the first step, `descend` before the second."""
        optimizer = self.optimizer
        apply = optimizer.apply

        def step(gradients: Any, variables: Any) -> None:
            optimizer.descend(variables)
            apply(gradients, variables)

        try:
            optimizer.apply = optimizer.ascend
            super().train_step(data)
            optimizer.apply = step
            return super().train_step(data)
        finally:
            optimizer.apply = apply


def linear_model(optimizer: Any, eager: bool = False) -> keras.Model:
    """A linear model that starts at `START`."""
    is_plain = not takes_two_gradients(optimizer)
    require("tensorflow", "torch", *(["jax"] if is_plain else []))
    kind = keras.Sequential if is_plain else OfTwoGradients
    model = kind([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(optimizer, loss="mse", run_eagerly=eager)
    model.set_weights(START)
    return model


def fit(model: keras.Model, epochs: int) -> list[float]:
    """`STEPS` steps in each epoch; the mean losses of the epochs."""
    return model.fit(INPUTS, TARGETS, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def take_steps(model: keras.Model) -> None:
    """The `STEPS` steps of an epoch, without what `fit` does around them."""
    for first in range(0, len(INPUTS), 8):
        model.train_on_batch(INPUTS[first : first + 8], TARGETS[first : first + 8])


def penalized_model(penalty: Any, kernel: np.ndarray, optimizer: Any, eager: bool = False) -> keras.Model:
    """One layer with this kernel and penalty. It is fed zeros, so that the penalty is its whole loss."""
    require("tensorflow", "jax", "torch")
    arguments = {"kernel_regularizer": penalty, "use_bias": False}
    if kernel.ndim == 2:
        layers = [keras.Input(kernel.shape[:1]), keras.layers.Dense(kernel.shape[1], **arguments)]
    else:
        layers = [keras.Input(kernel.shape[:3]), keras.layers.Conv2D(kernel.shape[3], kernel.shape[0], **arguments)]
    model = keras.Sequential(layers)
    model.compile(optimizer, loss="mse", run_eagerly=eager)
    model.set_weights([kernel])
    return model


def zeros_for(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of zeros."""
    inputs, targets = (np.zeros((2, *shape[1:]), "float32") for shape in (model.input_shape, model.output_shape))
    return inputs, targets


class _GradientKeeper(keras.optimizers.Optimizer):
    """Puts the gradient in the place of the weights."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        del learning_rate
        self.assign(variable, gradient)


def gradient(penalty: Any, kernel: np.ndarray) -> np.ndarray:
    """The gradient of a penalty, by the backend's own differentiation."""
    model = penalized_model(penalty, kernel, _GradientKeeper(0.0), eager=True)
    model.train_on_batch(*zeros_for(model))
    return np.asarray(model.get_weights()[0], "float64")


def value(penalty: Any, kernel: np.ndarray) -> float:
    """The penalty of a kernel."""
    return float(penalty(keras.ops.convert_to_tensor(kernel, "float32")))


@contextmanager
def reloaded(model: keras.Model, target: type) -> Iterator[keras.Model]:
    """The model from a `.keras` file."""
    with tempfile.TemporaryDirectory() as folder, keras.saving.custom_object_scope({target.__name__: target}):
        path = Path(folder) / "model.keras"
        model.save(path)
        yield keras.saving.load_model(path)


def check_equal(actual: Any, expected: Any, what: str) -> None:
    """Raises `ViolationError` where any array differs from its counterpart, be it in the last bit."""
    pairs = [(np.asarray(one), np.asarray(other)) for one, other in zip(actual, expected, strict=True)]
    if not all(np.array_equal(one, other, equal_nan=True) for one, other in pairs):
        largest = max(float(np.max(np.abs(one - other))) for one, other in pairs)
        raise ViolationError(f"{what}: the weights differ by up to {largest:.3g}")
