"""How far Keras's optimizers go from those of TensorFlow 1, from which the published results come.

    python scripts/formulas.py

prints a table of docs/fidelity.md; with --write it puts it there. Both take 100 steps on the same noisy quadratic in
float64, from the same start, with the same noise.
"""

import argparse
from collections.abc import Callable
from typing import Any

import fidelity
import keras
import numpy as np
import tensorflow as tf

STEPS = 100
RATE = 2.0**-7  # Keras keeps rates in float32, which holds this one exactly
CURVATURES = np.logspace(-1, 1, 20)
ROUNDING = 1e-9

Step = Callable[[tf.Tensor], tf.Tensor]
Start = Callable[[np.ndarray], tuple[Step, Callable[[float], Any]]]
"""From the first weights to a function that takes a gradient and gives the next weights, and one that sets the rate."""


def of_keras(optimizer: keras.optimizers.Optimizer) -> Start:
    """Steps of a Keras optimizer."""

    def start(weights: np.ndarray) -> tuple[Step, Callable[[float], Any]]:
        variable = keras.Variable(weights, dtype="float64")
        optimizer.build([variable])

        def step(gradient: tf.Tensor) -> tf.Tensor:
            optimizer.apply([gradient], [variable])
            return tf.convert_to_tensor(variable)

        return step, optimizer.learning_rate.assign

    return start


def of_tensorflow_1(make: Callable[..., tf.compat.v1.train.Optimizer], **arguments: float | bool) -> Start:
    """Steps of an optimizer of TensorFlow 1, which is given its learning rate first."""

    def start(weights: np.ndarray) -> tuple[Step, Callable[[float], Any]]:
        variable, rate = tf.Variable(weights), tf.Variable(RATE, dtype=tf.float64)
        optimizer = make(lambda: rate, **arguments)

        def step(gradient: tf.Tensor) -> tf.Tensor:
            optimizer.apply_gradients([(gradient, variable)])
            return tf.convert_to_tensor(variable)

        return step, rate.assign

    return start


class Nadam(tf.compat.v1.train.AdamOptimizer):
    """The Nadam of TensorFlow 1's contrib, which TensorFlow 2 lacks: its kernel of Adam with `use_nesterov`."""

    def _resource_apply_dense(self, gradient: tf.Tensor, variable: tf.Variable) -> tf.Operation:
        names = ("beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon")
        numbers = [*self._get_beta_accumulators(), self._lr_t, self._beta1_t, self._beta2_t, self._epsilon_t]
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.get_slot(variable, "m").handle,
            v=self.get_slot(variable, "v").handle,
            **{name: tf.cast(number, gradient.dtype) for name, number in zip(names, numbers, strict=True)},
            grad=gradient,
            use_nesterov=True,
        )


def final_weights(start: Start, rate_drops: bool) -> np.ndarray:
    """Weights after all steps; half way the rate may drop to a sixteenth."""
    noise = np.random.default_rng(0).normal(size=(STEPS, len(CURVATURES)))
    weights: Any = np.ones(len(CURVATURES))
    step, set_rate = start(weights)
    for number, of_step in enumerate(noise):
        if rate_drops and number == STEPS // 2:
            set_rate(RATE / 16)
        weights = step(tf.constant(CURVATURES) * (weights - of_step))
    return np.asarray(weights)


def difference(mine: Start, theirs: Start, rate_drops: bool = False) -> str:
    """The largest difference of a weight, over the largest weight."""
    here, there = final_weights(mine, rate_drops), final_weights(theirs, rate_drops)
    largest = float(np.max(np.abs(here - there)) / np.max(np.abs(there)))
    if largest < ROUNDING:
        return "none"
    return f"{largest:.0%}" if largest > 0.01 else f"{largest:.0e}"


def table() -> str:
    """The optimizers that are in Keras and were in TensorFlow 1, with the epsilons of their candidates."""
    ours, old = keras.optimizers, tf.compat.v1.train
    heavy_ball, old_heavy_ball = of_keras(ours.SGD(RATE, 0.9)), of_tensorflow_1(old.MomentumOptimizer, momentum=0.9)
    nesterov = of_keras(ours.SGD(RATE, 0.9, nesterov=True))
    old_nesterov = of_tensorflow_1(old.MomentumOptimizer, momentum=0.9, use_nesterov=True)
    adadelta = of_keras(ours.Adadelta(RATE, epsilon=1e-8))
    old_adadelta = of_tensorflow_1(old.AdadeltaOptimizer, rho=0.95, epsilon=1e-8)

    def rmsprop(rho: float) -> str:
        old_rmsprop = of_tensorflow_1(old.RMSPropOptimizer, decay=rho, epsilon=1e-10)
        return difference(of_keras(ours.RMSprop(RATE, rho=rho, epsilon=1e-10)), old_rmsprop)

    rows = {
        "SGD": (difference(of_keras(ours.SGD(RATE)), of_tensorflow_1(old.GradientDescentOptimizer)), ""),
        "momentum": (difference(heavy_ball, old_heavy_ball), ""),
        "Nesterov": (difference(nesterov, old_nesterov), ""),
        "momentum, rate drops": (
            difference(of_keras(ours.SGD(RATE, 0.9)), old_heavy_ball, rate_drops=True),
            "Keras keeps rate times gradient in its buffer, TensorFlow 1 the gradient: Keras slows down late",
        ),
        "Adadelta": (difference(adadelta, old_adadelta), ""),
        "Adagrad": (
            difference(of_keras(ours.Adagrad(RATE)), of_tensorflow_1(old.AdagradOptimizer)),
            "Keras adds an epsilon of 1e-7 under the root",
        ),
        "Adam": (
            difference(of_keras(ours.Adam(RATE, epsilon=1e-8)), of_tensorflow_1(old.AdamOptimizer)),
            "TensorFlow 1 keeps the powers of the betas in float32",
        ),
        "RMSprop, rho 0.875": (
            rmsprop(0.875),
            "Keras's mean square starts at 0, TensorFlow 1's at 1, so Keras's first steps are longer",
        ),
        "RMSprop, rho 0.984": (rmsprop(0.984), "the same"),
        "Nadam": (
            difference(of_keras(ours.Nadam(RATE, epsilon=1e-8)), of_tensorflow_1(Nadam)),
            "Keras has Dozat's momentum schedule, TensorFlow 1 had none",
        ),
    }
    lines = ["| optimizer | difference | why |", "|--|--|--|"]
    return "\n".join([*lines, *(f"| {name} | {found} | {reason} |" for name, (found, reason) in rows.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/fidelity.md")
    options = parser.parse_args()
    made = table()
    print(made)
    if options.write:
        fidelity.write("formulas", made)


if __name__ == "__main__":
    main()
